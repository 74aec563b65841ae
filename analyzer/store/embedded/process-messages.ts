/** What the supervisor and the engine process say to each other over IPC. */
import type { EngineOptions } from './engine.ts';
import type { HttpFrontOptions } from './http-front.ts';

export type ToEngine = ({ type: 'start' } & EngineOptions & HttpFrontOptions) | { type: 'stop' };

export type FromEngine =
  /** `unclean`: the process before this one ended without closing the folder. */
  | { type: 'ready'; port: number; unclean: boolean }
  /** `held`: another process has the data folder. */
  | { type: 'failed'; held: boolean; message: string };
