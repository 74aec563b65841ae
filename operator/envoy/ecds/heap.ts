/** A binary heap whose entries can be taken out from anywhere: adding and removing cost log n. */
export interface Heap<T> {
  /** The entry that comes before all others. */
  top(): HeapNode<T> | undefined;
  /** The node is how to take it out again. */
  add(value: T): HeapNode<T>;
  /** Does nothing when it was taken out before. */
  remove(node: HeapNode<T>): void;
}

export interface HeapNode<T> {
  readonly value: T;
  /** Place in the heap; -1 once it was taken out. */
  place: number;
}

/** @param before a total order, or entries that are alike come in any order */
export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const nodes: HeapNode<T>[] = [];

  function put(node: HeapNode<T>, place: number): void {
    nodes[place] = node;
    node.place = place;
  }

  function rise(node: HeapNode<T>): void {
    while (node.place > 0) {
      const parent = nodes[(node.place - 1) >> 1] as HeapNode<T>;
      if (!before(node.value, parent.value)) return;
      const { place } = parent;
      put(parent, node.place);
      put(node, place);
    }
  }

  function sink(node: HeapNode<T>): void {
    for (;;) {
      const left = nodes[2 * node.place + 1];
      const right = nodes[2 * node.place + 2];
      const first = left && right && before(right.value, left.value) ? right : left;
      if (!first || !before(first.value, node.value)) return;
      const { place } = first;
      put(first, node.place);
      put(node, place);
    }
  }

  return {
    top: () => nodes[0],
    add(value) {
      const node: HeapNode<T> = { value, place: nodes.length };
      nodes.push(node);
      rise(node);
      return node;
    },
    remove(node) {
      const { place } = node;
      if (place < 0) return;
      node.place = -1;
      const last = nodes.pop();
      if (!last || last === node) return;
      put(last, place);
      rise(last);
      sink(last);
    },
  };
}
