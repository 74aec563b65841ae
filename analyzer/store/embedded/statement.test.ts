import { expect, it } from 'vitest';
import { parseRequest, settingLiteral, settingsClause } from './statement.ts';

const parse = (query: string, body = '') => parseRequest(new URL(`http://engine/?${query}`), Buffer.from(body));

it('takes a statement from the body, and parameters and settings from the URL', () => {
  const request = parse(
    'query_id=q1&param_name=it%27s%5Ct%5C%5C&max_execution_time=5&insert_deduplicate=1',
    'SELECT {name:String};',
  );
  expect(request).toEqual({
    statement: { kind: 'select', sql: 'SELECT {name:String}' },
    settings: { max_execution_time: '5', insert_deduplicate: '1' },
    parameters: { name: "it's\t\\" },
    queryId: 'q1',
  });
});

it('takes rows from the body when the statement is in the URL', () => {
  const query = encodeURIComponent('INSERT INTO picket.ticks (tick, at) FORMAT JSONCompactEachRow');
  expect(parse(`query=${query}`, '[1,2]\n').statement).toEqual({
    kind: 'insertRows',
    table: 'picket.ticks',
    columns: ['tick', 'at'],
    format: 'JSONCompactEachRow',
    data: Buffer.from('[1,2]\n'),
  });
});

it('tells reading from changing', () => {
  expect(parse('', 'with 1 as a select a').statement.kind).toBe('select');
  expect(parse('', 'ALTER TABLE t DELETE WHERE 1').statement.kind).toBe('command');
  expect(parse('', 'INSERT INTO t SELECT 1').statement.kind).toBe('command');
});

it('always limits the running time', () => {
  expect(parse('', 'SELECT 1').settings.max_execution_time).toBe('60');
  expect(parse('max_execution_time=0', 'SELECT 1').settings.max_execution_time).toBe('60');
  expect(parse('max_execution_time=1e9', 'SELECT 1').settings.max_execution_time).toBe('3600');
});

it.each([
  ['', ' ; ', 'empty query'],
  ['a-b=1', 'SELECT 1', 'setting name'],
  ['', "SELECT * FROM file('/etc/passwd')", 'outside the database'],
  ['', "INSERT INTO t SELECT * FROM URL ('http://example.com')", 'outside the database'],
])('refuses %j with body %j', (query, body, message) => {
  expect(() => parse(query, body)).toThrow(message);
});

it('writes settings so that no value ends its literal', () => {
  expect(settingsClause({ a: '1', b: "x', c = 2 --\\" })).toBe(" SETTINGS a = 1, b = 'x\\', c = 2 --\\\\'");
  expect(settingsClause({})).toBe('');
  expect(settingLiteral('-1.5')).toBe('-1.5');
});
