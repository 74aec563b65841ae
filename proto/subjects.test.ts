import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrincipalKind } from './gen/picket/policy/v1/policy_pb.js';
import {
  ackKey,
  decisionKey,
  eventFilter,
  eventKinds,
  eventSubject,
  parseAckKey,
  parseApiName,
  parseDecisionKey,
  parseEventSubject,
  parsePolicyKey,
  parseUpdateSubject,
  policyKey,
  SubjectError,
  updateSubject,
} from './subjects.ts';

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
const pseudonym = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: 16, maxLength: 16 });
const kind = fc.integer({ min: PrincipalKind.USER, max: PrincipalKind.CAMPAIGN }) as fc.Arbitrary<PrincipalKind>;
/** What NATS takes as a literal subject and JetStream as a key. */
const literal = /^[-/_=.a-zA-Z0-9]+$/;

describe('subjects and keys', () => {
  it('read as storage.md writes them', () => {
    expect(policyKey(parseApiName('shop/orders'))).toBe('shop.orders');
    expect(
      decisionKey({
        fleet: 'edge',
        namespace: 'shop',
        api: 'orders',
        kind: PrincipalKind.ADDRESS,
        pseudonym: '00ff00ff00ff00ff',
      }),
    ).toBe('edge.shop.orders.Address.00ff00ff00ff00ff');
    expect(ackKey({ fleet: 'edge', envoy: 'envoy-1' })).toBe('edge.envoy-1');
    expect(eventSubject({ event: 'verdict', namespace: 'shop', api: 'orders' })).toBe('picket.v1.verdict.shop.orders');
    expect(eventSubject({ event: 'loss', namespace: 'shop', api: 'orders', about: ['receive'] })).toBe(
      'picket.v1.loss.shop.orders.receive',
    );
    expect(updateSubject(63)).toBe('picket.v1.update.63');
  });

  it('encode dots, which would otherwise end a token', () => {
    expect(policyKey({ namespace: 'shop', api: 'orders.v2' })).toBe('shop.orders=2Ev2');
    expect(parsePolicyKey('shop.orders=2Ev2')).toEqual({ namespace: 'shop', api: 'orders.v2' });
    expect(ackKey({ fleet: 'f', envoy: 'router~10.0.0.1~a>b *' })).toMatch(literal);
  });

  it('come back as they went, whatever the names hold', () => {
    fc.assert(
      fc.property(name, name, name, kind, pseudonym, (fleet, namespace, api, kind, pseudonym) => {
        const decision = { fleet, namespace, api, kind, pseudonym };
        const key = decisionKey(decision);
        expect(key).toMatch(literal);
        expect(parseDecisionKey(key)).toEqual(decision);
        expect(parsePolicyKey(policyKey({ namespace, api }))).toEqual({ namespace, api });
        expect(parseAckKey(ackKey({ fleet, envoy: api }))).toEqual({ fleet, envoy: api });
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...eventKinds), name, name, fc.array(name), (event, namespace, api, about) => {
        const subject = eventSubject({ event, namespace, api, about });
        expect(subject).toMatch(literal);
        expect(parseEventSubject(subject)).toEqual({ event, namespace, api, about });
      }),
    );
  });

  it('parse either to what builds the same text again, or not at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=.2EF%0'.split('')) }), (key) => {
        let parsed: { namespace: string; api: string };
        try {
          parsed = parsePolicyKey(key);
        } catch (error) {
          expect(error).toBeInstanceOf(SubjectError);
          return;
        }
        expect(policyKey(parsed)).toBe(key);
      }),
    );
  });

  it('refuse what cannot be carried, saying why', () => {
    expect(() => policyKey({ namespace: '', api: 'a' })).toThrow('an empty name cannot be part of a subject');
    expect(() => policyKey({ namespace: 'a', api: '\ud800' })).toThrow('is not valid Unicode');
    expect(() => policyKey({ namespace: 'a', api: 'x'.repeat(769) })).toThrow('768 is the limit');
    expect(() => parseApiName('shop')).toThrow('"shop" is not <namespace>/<name>');
    expect(() => parseApiName('a/b/c')).toThrow(SubjectError);
    expect(() => parsePolicyKey('a.b.c')).toThrow('has 3 tokens, not 2');
    expect(() => parsePolicyKey('a.=2e')).toThrow('not a token that Picket encoded');
    expect(() => parsePolicyKey('a.=FF')).toThrow('not a token that Picket encoded');
    expect(() => updateSubject(64)).toThrow('64 is not a partition');
    expect(() => parseUpdateSubject('picket.v1.update.064')).toThrow(SubjectError);
    expect(() => parseUpdateSubject('picket.v1.update.64')).toThrow(SubjectError);
    expect(() => parseEventSubject('picket.v1.update.3')).toThrow(SubjectError);
    expect(() => parseDecisionKey('f.n.a.Users.00ff00ff00ff00ff')).toThrow('"Users"');
    expect(() =>
      decisionKey({ fleet: 'f', namespace: 'n', api: 'a', kind: PrincipalKind.USER, pseudonym: 'alice' }),
    ).toThrow('not a pseudonym');
  });

  it('filter events by kind and namespace', () => {
    expect(eventFilter()).toBe('picket.v1.*.*.>');
    expect(eventFilter({ event: 'verdict' })).toBe('picket.v1.verdict.*.>');
    expect(eventFilter({ namespace: 'shop', event: 'finding' })).toBe('picket.v1.finding.shop.>');
  });
});
