/** Readings of an observation that several detectors share. */
import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { F, Flag } from '../observation.ts';
import type { Scene } from './detector.ts';

export function isLogin(scene: Scene): boolean {
  const flow = flowOf(scene);
  return flow === FlowType.LOGIN || flow === FlowType.PASSWORD_RESET;
}

export function flowOf(scene: Scene): number {
  return ((scene.u32[scene.record + F.kinds] as number) >>> 8) & 0xff;
}

export function outcomeOf(scene: Scene): number {
  return ((scene.u32[scene.record + F.kinds] as number) >>> 16) & 0xff;
}

export function methodOf(scene: Scene): number {
  return (scene.u32[scene.record + F.kinds] as number) & 0xff;
}

export function statusOf(scene: Scene): number {
  return scene.u32[scene.record + F.status] as number;
}

export function hasFlag(scene: Scene, flag: number): boolean {
  return (flagsOf(scene) & flag) !== 0;
}

/** Pictures, scripts and fonts come with a page; nobody chose to fetch them. */
export function isAsset(scene: Scene): boolean {
  return hasFlag(scene, Flag.staticAsset);
}

const ownProgram = Flag.library | Flag.inside;

/** A program of the operator's own, as far as anybody can tell: it says that it is a program, and comes from the inside. */
export function isOwnProgram(flags: number): boolean {
  return (flags & ownProgram) === ownProgram;
}

export function flagsOf(scene: Scene): number {
  return scene.u32[scene.record + F.flags] as number;
}

/** Requests this close to the one before belong to one burst. */
export const burstMs = 400;

/**
 * What a request weighs by its place in a burst: a page fetches its rows and previews side by side, so the first is a
 * choice and each further one a small part of it, until there are more than a page holds.
 */
export function burstWeight(place: number): number {
  return place > 1 && place <= 60 ? 0.1 : 1;
}
