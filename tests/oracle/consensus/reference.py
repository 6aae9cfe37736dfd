"""Yuma consensus once more, as slowly and plainly as the specification reads.

Written from specs/emissions.md, section 3, in Python's whole numbers, one pair of uids at a
time; it shares no code with `oracle.domain.consensus` and is what that is compared with. A
matrix is a list of dictionaries: row i holds the entries {j: value} of uid i. Where the text
leaves a choice open it takes the original's, see docs/decisions/0030-consensus-in-integers.md.
"""

from typing import Any

FRAC = 1 << 32
TOP, BOTTOM = 2**63 - 1, -(2**63)
WIDE_TOP = 2**127 - 1
Row = dict[int, int]


def sat(x: int) -> int:
    return max(BOTTOM, min(TOP, x))


def mul(a: int, b: int) -> int:
    return sat((a * b) // FRAC)  # Python floors


def trunc(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a >= 0) == (b >= 0) else -quotient


def div(a: int, b: int) -> int:
    return sat(trunc(a * FRAC, b)) if b else 0


def add(*terms: int) -> int:
    result = 0
    for term in terms:
        result = sat(result + term)
    return result


def norm(values: list[int]) -> list[int]:
    whole = add(*values)
    return [div(value, whole) for value in values] if whole else list(values)


def colnorm(matrix: list[Row]) -> list[Row]:
    sums: Row = {}
    for row in matrix:
        for j, value in row.items():
            sums[j] = add(sums.get(j, 0), value)
    return [{j: div(v, sums[j]) if sums[j] else v for j, v in row.items()} for row in matrix]


def u16(x: int) -> int:
    return max(0, min(65535, (x * 65535) // FRAC))


def exp(x: int) -> int:
    x = max(-20 * FRAC, min(20 * FRAC, x))
    if x == 0:
        return FRAC
    if x == FRAC:
        return int("2.71828182845904523536".replace(".", "")) * 2**23 // 10**20 << 9
    size = abs(x)
    r, term = FRAC + size, size
    for i in range(2, 32):
        term = trunc(mul(term, size), i)
        r += term
    return r if x > 0 else div(FRAC, r)


def clamp(x: int, low: int, high: int) -> int:
    return max(min(x, high), low)


def stake_shares(raw: list[int]) -> list[int]:
    wide = [min(stake * 2**64, WIDE_TOP) for stake in raw]
    whole = min(sum(wide), WIDE_TOP)
    return [(stake * 2**64 // whole) >> 32 if whole else 0 for stake in wide]


def consensus_of(scores: list[int], stake: list[int], raw: list[int], kappa: int, strict: bool):
    """The largest score that stake of at least kappa (strict: and more than half) supports."""
    if not scores:
        return 0
    limit = add(*stake) - kappa
    for p in sorted(set(scores), reverse=True):
        passes = sum(s for s, score in zip(stake, scores, strict=True) if score < p) <= limit
        if strict:
            support = sum(s for s, score in zip(raw, scores, strict=True) if score >= p)
            passes = passes and 2 * support > sum(raw)
        if passes:
            return p
    return min(scores)


def epoch(case: dict[str, Any], strict: bool) -> dict[str, Any]:
    """One epoch; `case` has the fields of params and epoch inputs in the vectors' schema."""
    g = case
    n, block, owner = len(g["stake"]), g["block"], g["owner_uid"]
    reg, update = g["block_at_registration"], g["last_update"]
    uids = range(n)

    # 1
    active = [not update[i] + g["activity_cutoff"] < block for i in uids]
    # 2
    raw = [s if s >= g["stake_threshold"] or i == owner else 0 for i, s in enumerate(g["stake"])]
    stake = stake_shares(raw)
    # 3
    permit = [bool(g["validator_permits"][i]) or i == owner for i in uids]
    ascending = sorted(uids, key=lambda i: stake[i])
    k = g["max_allowed_validators"]
    top = set(ascending[n - k :] if k < n else ascending) if k else set()
    new_permits = [(stake[i] > 0 and i in top) or i == owner for i in uids]
    # 4
    a = norm([stake[i] if active[i] and permit[i] else 0 for i in uids])
    # 5
    w: list[Row] = []
    for i in uids:
        row = {}
        for j, value in g["weights"][i]:
            commits = g.get("commit_blocks")
            if not permit[i] or (i == j and i != owner) or update[i] <= reg[j]:
                continue
            if commits is not None and commits[i] < reg[j]:
                continue
            row[j] = value * FRAC
        whole = add(*row.values())
        w.append({j: div(value, whole) if whole else value for j, value in row.items()})
    # 6
    voters = [i for i in uids if a[i] > 0]
    shares = norm([a[i] for i in voters])
    exact = [raw[i] for i in voters]
    kappa = div(g["kappa"] * FRAC, 65535 * FRAC)
    c = [consensus_of([w[i].get(j, 0) for i in voters], shares, exact, kappa, strict) for j in uids]
    # 7
    clipped = [{j: min(v, c[j]) for j, v in row.items() if c[j] > 0 or v == 0} for row in w]
    trust = [add(*row.values()) for row in clipped]
    ranks = [add(*(mul(a[i], clipped[i].get(j, 0)) for i in uids)) for j in uids]
    incentive = norm(ranks)
    # 8
    penalty = div(g["bonds_penalty"] * FRAC, 65535 * FRAC)
    if penalty == 0:
        wb = w
    elif penalty == FRAC:
        wb = clipped
    else:
        wb = [
            {j: v + mul(penalty, clipped[i].get(j, 0) - v) for j, v in w[i].items()} for i in uids
        ]
        wb = [{j: v for j, v in row.items() if v > 0} for row in wb]
    # 9
    step = g["last_mechanism_step_block"]
    last = step + 1 if step else max(block - g["tempo"], 0)
    stored = [{j: v for j, v in g["bonds"][i] if not last <= reg[j]} for i in uids]
    # 10, 11
    alpha = add(FRAC, -(g["bonds_moving_average"] * 2**64 // 10**6 >> 32))

    def ema(new: list[Row], old: list[Row]) -> list[Row]:
        result = []
        for new_row, old_row in zip(new, old, strict=True):
            row = {}
            for j in new_row.keys() | old_row.keys():
                value = mul(alpha, new_row.get(j, 0)) + mul(FRAC - alpha, old_row.get(j, 0))
                if value > 0:
                    row[j] = value
            result.append(row)
        return result

    if not g["yuma3"]:
        b = colnorm([{j: v * FRAC for j, v in row.items()} for row in stored])
        delta = colnorm([{j: mul(v, a[i]) for j, v in wb[i].items()} for i in uids])
        bonds = colnorm(ema(delta, b))
        dividends = norm([add(*(mul(v, incentive[j]) for j, v in row.items())) for row in bonds])
        largest = [max((row.get(j, 0) for row in bonds), default=0) for j in uids]
        kept = [{j: div(v, largest[j]) if largest[j] else v for j, v in r.items()} for r in bonds]
    else:
        b = [{j: div(v * FRAC, 65535 * FRAC) for j, v in row.items()} for row in stored]
        if g["liquid_alpha"] and any(c):
            kept = [liquid_row(g, wb[i], b[i], c, strict) for i in uids]
        else:
            kept = ema(wb, b)
        per_validator = [
            add(*(mul(v, incentive[j]) for j, v in row.items())) for row in colnorm(kept)
        ]
        dividends = norm([mul(per_validator[i], a[i]) for i in uids])
    # 12
    e = g["rao_emission"]
    both = [add(incentive[i], dividends[i]) for i in uids]
    whole = add(*both)
    if whole:
        servers, validators, combined = (
            [div(x, whole) * e // FRAC for x in part] for part in (incentive, dividends, both)
        )
    else:
        servers = [0] * n
        validators = combined = [x * e // FRAC for x in (a if any(a) else stake)]
    return {
        "stake_bits": stake,
        "active_stake_bits": a,
        "consensus_bits": c,
        "validator_trust_bits": trust,
        "incentive_bits": incentive,
        "dividends_bits": dividends,
        "stake_weight_u16": [u16(x) for x in stake],
        "consensus_u16": [u16(x) for x in c],
        "incentive_u16": [u16(x) for x in incentive],
        "dividends_u16": [u16(x) for x in dividends],
        "validator_trust_u16": [u16(x) for x in trust],
        "server_emission": servers,
        "validator_emission": validators,
        "combined_emission": combined,
        "new_permits": new_permits,
        "active": active,
        "bonds_u16": [
            [[j, u16(v)] for j, v in sorted(kept[i].items())] if new_permits[i] else []
            for i in uids
        ],
    }


def liquid_row(g: dict[str, Any], wb: Row, b: Row, c: list[int], strict: bool) -> Row:
    """New bonds of one validator under liquid alpha."""
    low, high = (div(g[name] * FRAC, 65535 * FRAC) for name in ("alpha_low", "alpha_high"))
    q = div(g["alpha_sigmoid_steepness"] * FRAC, -100 * FRAC)
    row = {}
    for j in (wb.keys() | b.keys()) if strict else wb.keys():
        weight, bond = wb.get(j, 0), b.get(j, 0)
        d = weight - c[j] if weight >= bond else bond - weight
        d = clamp(d, 0, FRAC)
        sg = div(FRAC, add(FRAC, exp(mul(q, d - FRAC // 2))))
        alpha = clamp(add(low, mul(sg, add(high, -low))), low, high)
        value = min(FRAC, add(mul(FRAC - alpha, bond), mul(alpha, weight)))
        if value > 0:
            row[j] = value
    return row
