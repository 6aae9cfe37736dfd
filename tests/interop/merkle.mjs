// OpenZeppelin's Merkle tree over reward leaves.

import { npm, serve } from "./lines.mjs";

const { StandardMerkleTree } = npm("@openzeppelin/merkle-tree");

// chain id, contract, kind, key, cumulative
const LEAF = ["uint256", "address", "uint8", "bytes32", "uint256"];

serve({
  build({ rows }) {
    const tree = StandardMerkleTree.of(rows, LEAF);
    return { root: tree.root, proofs: rows.map((_, i) => tree.getProof(i)) };
  },

  verify({ root, rows, proofs }) {
    return rows.map((row, i) => StandardMerkleTree.verify(root, LEAF, row, proofs[i]));
  },
});
