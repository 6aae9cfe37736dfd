# pragma version 0.4.3
"""
@title Roster
@license Apache-2.0
@author Clearwork
@notice Everything that checking a committee report needs, written as the code of a small
        contract of its own: one account access reads all of it, where storage would cost a
        slot per signer. It is written anew whenever a key comes or goes.
@dev Words of 32 bytes behind an ABI header (whose first byte is STOP, so nobody can call
     it): the config digest, the threshold, one word per key in ascending order, and words
     of ones up to the end of the last chunk. A key's word, from the low end:

        bits   0..31   the member's bit in the signers' bitmap
        bits  32..95   chain time in seconds at which the key ends
        bits  96..255  the key
"""

# a member's present key and the one before it
MAX_KEYS: constant(uint256) = 62
# config digest and threshold
HEADER: constant(uint256) = 2
# words read at a time; committees of up to 13 keys fit into the first chunk
CHUNK: constant(uint256) = 16
CHUNK_BYTES: constant(uint256) = 32 * CHUNK
MAX_WORDS: constant(uint256) = 80
# offset and length of the ABI-encoded list
ABI_HEADER_BYTES: constant(uint256) = 64
MAX_CODE: constant(uint256) = ABI_HEADER_BYTES + 32 * MAX_WORDS
# returns whatever follows it as the code of the new contract
INIT_CODE: constant(Bytes[11]) = x"600b5981380380925939f3"

VALID_UNTIL_SHIFT: constant(uint256) = 32
KEY_SHIFT: constant(uint256) = 96
MASK_32: constant(uint256) = 2**32 - 1
MASK_64: constant(uint256) = 2**64 - 1
# before the first key: valid for ever, of no member
NO_KEY: constant(uint256) = MASK_64 << VALID_UNTIL_SHIFT
# behind the last key; greater than any word of a key
END: constant(uint256) = max_value(uint256)


@internal
@pure
def _word(key: address, valid_until: uint256, seat: uint256) -> uint256:
    """
    @param key signing key
    @param valid_until chain time in seconds, below 2**64
    @param seat a single bit below 2**32
    """
    return ((convert(key, uint256) << KEY_SHIFT) | (valid_until << VALID_UNTIL_SHIFT) | seat)


@internal
def _write(config: bytes32, threshold: uint256, keys: DynArray[uint256, MAX_KEYS]) -> address:
    """
    @param config digest of the committee
    @param threshold signatures a report needs
    @param keys words of the keys that count, in any order
    @return roster the contract that holds them
    """
    words: DynArray[uint256, MAX_WORDS] = [convert(config, uint256), threshold]
    for word: uint256 in keys:
        words.append(word)
        # insertion sort: move the new word down until the one below it is smaller
        at: uint256 = len(words) - 1
        for _: uint256 in range(MAX_KEYS):
            if at == HEADER or words[at - 1] < word:
                break
            words[at] = words[at - 1]
            at -= 1
        words[at] = word
    for _: uint256 in range(CHUNK):
        words.append(END)
        if len(words) % CHUNK == 0:
            break
    return raw_create(concat(INIT_CODE, abi_encode(words)))
