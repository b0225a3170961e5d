# One image for every role: `source`, `destination`, or, when nothing is said, `demo`.
FROM node:24-bookworm-slim AS build
WORKDIR /app
# The dependencies first: they stay cached while only sources change.
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
# package.json says that dist/ holds ES modules. All of it belongs to root: the process cannot change its own code.
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# Where a volume with a key may be mounted: a new one is this user's, and nobody else's.
RUN install -d -o node -g node -m 0700 /keys
USER node
EXPOSE 7000
# No shell in between: signals and the exit status are the program's own.
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["demo"]
