# pragma version 0.4.3
# pragma nonreentrancy on
# pragma optimize gas
# pragma experimental-codegen
"""
@title Matmul verifier
@license Apache-2.0
@author Clearwork
@notice Recomputes one entry of a committed matrix product, so that a prover's own commitment
        can be checked by anyone and convict it. A is drawn from the seed of its round, B from
        the seed of the chain; the product is exact in int32, folded to one byte per entry,
        and 128 consecutive bytes are a leaf of the tree whose root is committed.
@dev Stateless: it holds nothing, trusts nobody and reads only its arguments. The generator,
     the fold and the tree are those of the provers' and the oracles' software, bit for bit.

     The inner loop is nearly all of the gas of a conviction, which is why this one contract
     is compiled by the experimental code generator: it keeps the loop on the stack, where
     the other one goes through memory. A test holds the results of both against each other.
@custom:security security@clearwork.example
@custom:kill Nothing to stop: there are no funds and no state. A court that should check by
             another rule is a new court that names another verifier.
"""

from .interfaces import IMatmulVerifier
from .modules import leaf_tree

implements: IMatmulVerifier

# largest K: below it no sum of products leaves int32, nor a 32-bit lane
MAX_K: public(constant(uint256)) = 131_072
# largest number of rows or columns
MAX_DIM: public(constant(uint256)) = 2**32 - 1

# elements in one word of the generator
WORD_ELEMENTS: constant(uint256) = 32
MAX_WORDS: constant(uint256) = MAX_K // WORD_ELEMENTS
# words that one turn of the main loop takes
UNROLLED: constant(uint256) = 4
# `tag` of a column of B in front of its 64-bit number; that of a row of A is 0
COLUMN_TAG: constant(uint256) = 1 << 64

# a one in each of the eight 32-bit lanes of a word
EACH_LANE: constant(uint256) = max_value(uint256) // (2**32 - 1)
# the lowest byte of each lane
BYTES: constant(uint256) = 255 * EACH_LANE
# minus 128 in each lane, modulo 2^256: what makes an int8 value of its byte
UNBIAS: constant(uint256) = max_value(uint256) - 128 * EACH_LANE + 1
# bits below the top lane
TOP_LANE: constant(uint256) = 224
# half a unit of the top lane
HALF: constant(uint256) = 2**(TOP_LANE - 1)


# --- anyone -------------------------------------------------------------------------------


@external
@pure
def is_correct(opening: IMatmulVerifier.Opening) -> bool:
    """
    @notice Whether the byte committed for entry (i, j) is that of the true product. Reverts
            unless the leaf is the one that holds the entry and is part of the root.
    @param opening seeds, dimensions, place, leaf and path
    @return correct False convicts whoever committed to the root
    """
    place: uint256 = self._place(opening)
    assert (
        leaf_tree._root(opening.leaf, place // leaf_tree.LEAF_ENTRIES, opening.path) == opening.root
    ), "matmul_verifier: leaf is not in the root"
    committed: uint256 = convert(slice(opening.leaf, place % leaf_tree.LEAF_ENTRIES, 1), uint256)
    return committed == self._fold(
        self._entry(opening.seed_r, opening.seed_0, opening.k, opening.i, opening.j)
    )


@internal
@pure
def _place(opening: IMatmulVerifier.Opening) -> uint256:
    """
    @return place number of the entry in row-major order
    """
    assert (
        opening.m <= MAX_DIM and opening.n <= MAX_DIM
    ), "matmul_verifier: dimensions out of bounds"
    assert opening.i < opening.m and opening.j < opening.n, "matmul_verifier: no such entry"
    assert len(opening.leaf) == leaf_tree.LEAF_ENTRIES, "matmul_verifier: leaf is not 128 bytes"
    # holds for one length only, and for none if the leaves are not a power of two
    assert (
        opening.m * opening.n == leaf_tree.LEAF_ENTRIES << len(opening.path)
    ), "matmul_verifier: path does not fit the matrix"
    return opening.i * opening.n + opening.j


@external
@pure
def entry(seed_r: bytes32, seed_0: bytes32, k: uint256, i: uint256, j: uint256) -> int256:
    """
    @notice One entry of the product, before it is folded.
    @param seed_r seed of A in the round
    @param seed_0 seed of the chain, which B is drawn from
    @param k inner dimension, a multiple of 32 up to `MAX_K`
    @param i row of A, up to `MAX_DIM`
    @param j column of B, up to `MAX_DIM`
    @return product int32
    """
    assert i <= MAX_DIM and j <= MAX_DIM, "matmul_verifier: place out of bounds"
    return self._entry(seed_r, seed_0, k, i, j)


@internal
@pure
def _entry(seed_r: bytes32, seed_0: bytes32, k: uint256, i: uint256, j: uint256) -> int256:
    assert (
        k != 0 and k <= MAX_K and k % WORD_ELEMENTS == 0
    ), "matmul_verifier: inner dimension out of bounds"
    return self._dot(
        convert(keccak256(concat(seed_r, convert(i, bytes32))), uint256),
        convert(keccak256(concat(seed_0, convert(COLUMN_TAG | j, bytes32))), uint256),
        k // WORD_ELEMENTS,
    )


@internal
@pure
def _dot(row_key: uint256, column_key: uint256, words: uint256) -> int256:
    """
    @notice Dot product of a row of A and a column of B.
    @dev Word t of either is keccak256(key + t): 32 bytes, the int8 elements plus 128. Byte q
         of all lanes is shifted down, masked and brought to its int8 value, which leaves eight
         signed numbers a_0 .. a_7, a_l worth a_l * 2^(32 l). B has its lanes in reverse
         order, so the product of two such words has sum(a_l * b_l) in its top lane, and
         everything that would be above it falls off at 2^256. Four products make the 32 of a
         word, and whole words are added up before anything is taken apart.

         Unchecked because all of it is meant modulo 2^256. Below the top lane there are seven
         lanes, each the signed sum of at most 7 * 4 * MAX_WORDS products of at most 2^14: less
         than 7/8 of 2^31. All of them together are smaller than HALF in absolute value, so
         adding HALF and dropping what is below the top lane leaves exactly the top lane's sum
         modulo 2^32, read as an int32. The keys are hashes; key + t wraps like the
         generator's own addition.
    @param words of either, up to MAX_WORDS
    """
    key_a: uint256 = row_key
    key_b: uint256 = column_key
    total: uint256 = HALF
    a: uint256 = 0
    b: uint256 = 0
    for _: uint256 in range(words // UNROLLED, bound=MAX_WORDS // UNROLLED):
        a = convert(keccak256(convert(key_a, bytes32)), uint256)
        b = convert(keccak256(convert(key_b, bytes32)), uint256)
        total = unsafe_add(
            unsafe_mul(unsafe_add(a & BYTES, UNBIAS), unsafe_add(b & BYTES, UNBIAS)), total
        )
        total = unsafe_add(
            unsafe_mul(unsafe_add((a >> 8) & BYTES, UNBIAS), unsafe_add((b >> 8) & BYTES, UNBIAS)),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 16) & BYTES, UNBIAS), unsafe_add((b >> 16) & BYTES, UNBIAS)
            ),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 24) & BYTES, UNBIAS), unsafe_add((b >> 24) & BYTES, UNBIAS)
            ),
            total,
        )
        a = convert(keccak256(convert(unsafe_add(key_a, 1), bytes32)), uint256)
        b = convert(keccak256(convert(unsafe_add(key_b, 1), bytes32)), uint256)
        total = unsafe_add(
            unsafe_mul(unsafe_add(a & BYTES, UNBIAS), unsafe_add(b & BYTES, UNBIAS)), total
        )
        total = unsafe_add(
            unsafe_mul(unsafe_add((a >> 8) & BYTES, UNBIAS), unsafe_add((b >> 8) & BYTES, UNBIAS)),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 16) & BYTES, UNBIAS), unsafe_add((b >> 16) & BYTES, UNBIAS)
            ),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 24) & BYTES, UNBIAS), unsafe_add((b >> 24) & BYTES, UNBIAS)
            ),
            total,
        )
        a = convert(keccak256(convert(unsafe_add(key_a, 2), bytes32)), uint256)
        b = convert(keccak256(convert(unsafe_add(key_b, 2), bytes32)), uint256)
        total = unsafe_add(
            unsafe_mul(unsafe_add(a & BYTES, UNBIAS), unsafe_add(b & BYTES, UNBIAS)), total
        )
        total = unsafe_add(
            unsafe_mul(unsafe_add((a >> 8) & BYTES, UNBIAS), unsafe_add((b >> 8) & BYTES, UNBIAS)),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 16) & BYTES, UNBIAS), unsafe_add((b >> 16) & BYTES, UNBIAS)
            ),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 24) & BYTES, UNBIAS), unsafe_add((b >> 24) & BYTES, UNBIAS)
            ),
            total,
        )
        a = convert(keccak256(convert(unsafe_add(key_a, 3), bytes32)), uint256)
        b = convert(keccak256(convert(unsafe_add(key_b, 3), bytes32)), uint256)
        total = unsafe_add(
            unsafe_mul(unsafe_add(a & BYTES, UNBIAS), unsafe_add(b & BYTES, UNBIAS)), total
        )
        total = unsafe_add(
            unsafe_mul(unsafe_add((a >> 8) & BYTES, UNBIAS), unsafe_add((b >> 8) & BYTES, UNBIAS)),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 16) & BYTES, UNBIAS), unsafe_add((b >> 16) & BYTES, UNBIAS)
            ),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 24) & BYTES, UNBIAS), unsafe_add((b >> 24) & BYTES, UNBIAS)
            ),
            total,
        )
        key_a = unsafe_add(key_a, UNROLLED)
        key_b = unsafe_add(key_b, UNROLLED)
    for _: uint256 in range(words % UNROLLED, bound=UNROLLED):
        a = convert(keccak256(convert(key_a, bytes32)), uint256)
        b = convert(keccak256(convert(key_b, bytes32)), uint256)
        total = unsafe_add(
            unsafe_mul(unsafe_add(a & BYTES, UNBIAS), unsafe_add(b & BYTES, UNBIAS)), total
        )
        total = unsafe_add(
            unsafe_mul(unsafe_add((a >> 8) & BYTES, UNBIAS), unsafe_add((b >> 8) & BYTES, UNBIAS)),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 16) & BYTES, UNBIAS), unsafe_add((b >> 16) & BYTES, UNBIAS)
            ),
            total,
        )
        total = unsafe_add(
            unsafe_mul(
                unsafe_add((a >> 24) & BYTES, UNBIAS), unsafe_add((b >> 24) & BYTES, UNBIAS)
            ),
            total,
        )
        key_a = unsafe_add(key_a, 1)
        key_b = unsafe_add(key_b, 1)
    return convert(convert(total, bytes32), int256) >> TOP_LANE


@external
@pure
def fold(product: int256) -> uint256:
    """
    @notice The byte committed for an entry: all four bytes of the int32, xored.
    @param product int32
    @return folded 0 to 255
    """
    return self._fold(product)


@internal
@pure
def _fold(product: int256) -> uint256:
    folded: uint256 = convert(convert(product, bytes32), uint256) & (2**32 - 1)
    folded ^= folded >> 16
    folded ^= folded >> 8
    return folded & 255
