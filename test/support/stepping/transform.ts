// Turns the text of a built module into one whose threads stop at every access of shared memory: functions become
// generators, calls are entered, element accesses and Atomics are steps. Knows syntax; what a step is, steps.ts.
import ts from 'typescript';

/** Names that the transformed text uses; steps.ts provides them. */
export const RUNTIME_NAMES = [
  '$now',
  '$isSteps',
  '$drain',
  '$load',
  '$store',
  '$atomic',
  '$update',
  '$bulk',
] as const;

/** Array methods that call back at once, from native code, which cannot enter a generator. */
const CALLING_BACK = new Set([
  'every',
  'filter',
  'find',
  'findIndex',
  'flatMap',
  'forEach',
  'from',
  'map',
  'reduce',
  'some',
  'sort',
]);

/** Methods of typed arrays that write shared bytes. */
const BULK_WRITES = new Set(['fill', 'set']);

/** `stepping` code may stop; `whole` code (constructors, accessors, callbacks of native code, async) runs through. */
type Mode = 'stepping' | 'whole';

/** The CommonJS text of a built ES module, made to stop at every step. */
export function toSteppingModule(text: string, fileName: string): string {
  const { outputText } = ts.transpileModule(text, {
    fileName,
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      allowJs: true,
      sourceMap: false,
    },
    transformers: { before: [makeStepping] },
  });
  return outputText;
}

function makeStepping(context: ts.TransformationContext): (file: ts.SourceFile) => ts.SourceFile {
  const { factory } = context;

  const runtime = (name: (typeof RUNTIME_NAMES)[number], args: ts.Expression[]): ts.Expression =>
    factory.createCallExpression(factory.createIdentifier(name), undefined, args);
  const entered = (generator: ts.Expression): ts.Expression =>
    factory.createParenthesizedExpression(
      factory.createYieldExpression(factory.createToken(ts.SyntaxKind.AsteriskToken), generator),
    );

  // `$load(array, index) ? yield $now.step : $now.value`: what need not stop costs no generator. Nothing comes between
  // the call that sets `$now` and its use.
  const now = (name: 'step' | 'value'): ts.Expression =>
    factory.createPropertyAccessExpression(factory.createIdentifier('$now'), name);
  const stopOr = (isStep: ts.Expression, onStep: ts.Expression, otherwise: ts.Expression): ts.Expression =>
    factory.createParenthesizedExpression(
      factory.createConditionalExpression(isStep, undefined, onStep, undefined, otherwise),
    );
  const stepOrValue = (call: ts.Expression): ts.Expression =>
    stopOr(call, factory.createYieldExpression(undefined, now('step')), now('value'));

  const expression = (node: ts.Expression, mode: Mode): ts.Expression => visit(node, mode) as ts.Expression;
  const children = (node: ts.Node, mode: Mode): ts.Node =>
    ts.visitEachChild(node, (child) => visit(child, mode), context);

  function visit(node: ts.Node, mode: Mode): ts.Node {
    if (ts.isFunctionLike(node)) return visitFunction(node);
    if (ts.isClassStaticBlockDeclaration(node) || ts.isPropertyDeclaration(node))
      return children(node, 'whole');
    if (ts.isCallExpression(node)) return visitCall(node, mode);
    if (mode === 'whole') return children(node, mode);
    if (ts.isBinaryExpression(node) && ts.isElementAccessExpression(node.left)) {
      const assigned = visitAssignment(node, node.left, mode);
      if (assigned !== undefined) return assigned;
    }
    if (
      (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) &&
      ts.isElementAccessExpression(node.operand) &&
      (node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken)
    ) {
      const by = node.operator === ts.SyntaxKind.PlusPlusToken ? 1 : -1;
      const { operand } = node;
      return entered(
        runtime('$update', [
          expression(operand.expression, mode),
          expression(operand.argumentExpression, mode),
          factory.createStringLiteral('+'),
          by === 1
            ? factory.createNumericLiteral(1)
            : factory.createPrefixMinus(factory.createNumericLiteral(1)),
          ts.isPostfixUnaryExpression(node) ? factory.createTrue() : factory.createFalse(),
        ]),
      );
    }
    if (ts.isElementAccessExpression(node) && node.questionDotToken === undefined) {
      const args = [expression(node.expression, mode), expression(node.argumentExpression, mode)];
      return stepOrValue(runtime('$load', args));
    }
    return children(node, mode);
  }

  function visitAssignment(
    node: ts.BinaryExpression,
    target: ts.ElementAccessExpression,
    mode: Mode,
  ): ts.Node | undefined {
    const operator = node.operatorToken.getText();
    if (operator !== '=' && !/^(\+|-|\||&|\^|\*|<<|>>>?)=$/.test(operator)) return undefined;
    const args = [expression(target.expression, mode), expression(target.argumentExpression, mode)];
    const value = expression(node.right, mode);
    return operator === '='
      ? stepOrValue(runtime('$store', [...args, value]))
      : entered(runtime('$update', [...args, factory.createStringLiteral(operator.slice(0, -1)), value]));
  }

  function visitCall(node: ts.CallExpression, mode: Mode): ts.Node {
    const { expression: callee } = node;
    if (callee.kind === ts.SyntaxKind.SuperKeyword || callee.kind === ts.SyntaxKind.ImportKeyword)
      return children(node, 'whole');
    const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : undefined;
    const isAtomic = ts.isPropertyAccessExpression(callee) && callee.expression.getText() === 'Atomics';
    const isNative = name !== undefined && CALLING_BACK.has(name);
    const args = node.arguments.map((argument) =>
      isNative && (ts.isArrowFunction(argument) || ts.isFunctionExpression(argument))
        ? (children(argument, 'whole') as ts.Expression)
        : expression(argument, mode),
    );
    if (isAtomic) {
      if (mode === 'whole') return factory.updateCallExpression(node, callee, undefined, args);
      return stepOrValue(runtime('$atomic', [factory.createStringLiteral(name!), ...args]));
    }
    if (
      mode === 'stepping' &&
      ts.isPropertyAccessExpression(callee) &&
      BULK_WRITES.has(callee.name.text) &&
      !ts.isCallChain(node)
    ) {
      const target = expression(callee.expression, mode);
      return entered(runtime('$bulk', [target, factory.createStringLiteral(callee.name.text), ...args]));
    }
    // Below the callee of `a?.b()` nothing may be wrapped: the chain would not be short any more.
    const target = ts.isCallChain(node)
      ? callee
      : ts.isPropertyAccessExpression(callee)
        ? factory.updatePropertyAccessExpression(callee, expression(callee.expression, mode), callee.name)
        : ts.isElementAccessExpression(callee)
          ? callee
          : expression(callee, mode);
    const call = ts.isCallChain(node)
      ? factory.updateCallChain(node, target, node.questionDotToken, undefined, args)
      : factory.updateCallExpression(node, target, undefined, args);
    if (mode === 'whole') return runtime('$drain', [call]);
    const entry = factory.createYieldExpression(
      factory.createToken(ts.SyntaxKind.AsteriskToken),
      now('value'),
    );
    return stopOr(runtime('$isSteps', [call]), entry, now('value'));
  }

  // What can become a generator does. Default values of parameters cannot stop.
  function visitFunction(node: ts.SignatureDeclaration): ts.Node {
    const isAsync = ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Async;
    const star = factory.createToken(ts.SyntaxKind.AsteriskToken);
    if (ts.isArrowFunction(node) && !isAsync) {
      const body = ts.isBlock(node.body)
        ? (children(node.body, 'stepping') as ts.Block)
        : factory.createBlock([factory.createReturnStatement(expression(node.body, 'stepping'))]);
      const generator = factory.createFunctionExpression(
        undefined,
        star,
        undefined,
        undefined,
        parameters(node.parameters),
        undefined,
        body,
      );
      return factory.createCallExpression(
        factory.createPropertyAccessExpression(factory.createParenthesizedExpression(generator), 'bind'),
        undefined,
        [factory.createThis()],
      );
    }
    if (isAsync || !('body' in node) || node.body === undefined) return children(node, 'whole');
    if (ts.isMethodDeclaration(node)) {
      return factory.updateMethodDeclaration(
        node,
        node.modifiers,
        star,
        node.name,
        undefined,
        undefined,
        parameters(node.parameters),
        undefined,
        children(node.body, 'stepping') as ts.Block,
      );
    }
    if (ts.isFunctionDeclaration(node)) {
      return factory.updateFunctionDeclaration(
        node,
        node.modifiers,
        star,
        node.name,
        undefined,
        parameters(node.parameters),
        undefined,
        children(node.body, 'stepping') as ts.Block,
      );
    }
    if (ts.isFunctionExpression(node)) {
      return factory.updateFunctionExpression(
        node,
        node.modifiers,
        star,
        node.name,
        undefined,
        parameters(node.parameters),
        undefined,
        children(node.body, 'stepping') as ts.Block,
      );
    }
    return children(node, 'whole');
  }

  function parameters(list: ts.NodeArray<ts.ParameterDeclaration>): ts.ParameterDeclaration[] {
    return list.map((parameter) => children(parameter, 'whole') as ts.ParameterDeclaration);
  }

  return (file) => children(file, 'whole') as ts.SourceFile;
}
