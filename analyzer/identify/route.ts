/**
 * What follows from method and target alone under one policy: which flow, which declared operation, which object. Kept
 * with the target, because most requests repeat one: five walks over templates and a hash less for each.
 */
import type { DeclaredMatch } from '../operations/registry.ts';
import type { ApiContext } from './api-context.ts';
import type { CompiledFlow } from './flows.ts';
import type { FoundObject } from './objects.ts';
import type { RequestTarget } from './request-target.ts';

export interface Route {
  readonly context: ApiContext;
  readonly method: string;
  readonly flow: CompiledFlow | undefined;
  /** The flow that the request shows the form of. */
  readonly form: CompiledFlow | undefined;
  readonly declared: DeclaredMatch;
  /** The object of the request, by the scope and variable of its operation. */
  object(scope: string, variable: string): FoundObject | null;
}

/** The route kept with the target, or a new one that takes its place. A changed policy is a new context. */
export function routeOf(context: ApiContext, method: string, target: RequestTarget): Route {
  const known = target.route;
  if (known && known.context === context && known.method === method) return known;
  return (target.route = new TargetRoute(context, method, target));
}

class TargetRoute implements Route {
  readonly context: ApiContext;
  readonly method: string;
  readonly flow: CompiledFlow | undefined;
  readonly form: CompiledFlow | undefined;
  readonly declared: DeclaredMatch;
  readonly #target: RequestTarget;
  readonly #ruled: FoundObject | null | undefined;
  #inferred: FoundObject | null | undefined;
  #scope = '';
  #variable = '';

  constructor(context: ApiContext, method: string, target: RequestTarget) {
    const { path } = target;
    this.context = context;
    this.method = method;
    this.flow = context.flows.match(method, path);
    this.form = !this.flow && method === 'GET' ? context.flows.formOf(path) : undefined;
    this.declared = context.operations.declaredFor(method, path);
    this.#target = target;
    this.#ruled = context.objects.ruled(method, path);
  }

  object(scope: string, variable: string): FoundObject | null {
    if (this.#ruled !== undefined) return this.#ruled;
    if (this.#inferred === undefined || scope !== this.#scope || variable !== this.#variable) {
      this.#inferred = this.context.objects.inferred(this.#target, scope, variable);
      this.#scope = scope;
      this.#variable = variable;
    }
    return this.#inferred;
  }
}
