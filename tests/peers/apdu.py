"""What the pieces here need to know of an APDU: where it ends, and its name in words."""

import struct

TYPES = {
    1: "M_SP_NA_1", 3: "M_DP_NA_1", 9: "M_ME_NA_1", 11: "M_ME_NB_1", 13: "M_ME_NC_1", 15: "M_IT_NA_1",
    45: "C_SC_NA_1", 46: "C_DC_NA_1", 49: "C_SE_NB_1", 50: "C_SE_NC_1", 70: "M_EI_NA_1",
    100: "C_IC_NA_1", 101: "C_CI_NA_1", 102: "C_RD_NA_1", 103: "C_CS_NA_1", 107: "C_TS_TA_1",
}  # fmt: skip
# Types whose last octet says with its highest bit: select, or execute.
COMMANDS = (45, 46, 49, 50)
CAUSES = {
    1: "periodic", 3: "spontaneous", 4: "initialized", 5: "request", 6: "activation", 7: "activation_con",
    8: "deactivation", 9: "deactivation_con", 10: "activation_term", 11: "return_remote", 20: "interrogated",
    21: "group_1", 37: "counters", 44: "unknown_type", 45: "unknown_cause", 46: "unknown_ca", 47: "unknown_ioa",
}  # fmt: skip
FUNCTIONS = {
    0x07: "STARTDT act", 0x0B: "STARTDT con", 0x13: "STOPDT act", 0x23: "STOPDT con",
    0x43: "TESTFR act", 0x83: "TESTFR con",
}  # fmt: skip
# Where the first element begins: behind APCI, header and object address.
ELEMENT = 15


def split(octets: bytes) -> tuple[list[bytes], bytes]:
    """The whole APDUs, and what is left of the next."""
    whole = []
    while len(octets) >= 2 and len(octets) >= 2 + octets[1]:
        end = 2 + octets[1]
        whole.append(octets[:end])
        octets = octets[end:]
    return whole, octets


def is_numbered(apdu: bytes) -> bool:
    """An I-frame, which has N(S)."""
    return apdu[2] & 1 == 0


def acknowledges(apdu: bytes) -> bool:
    """An I-frame or an S-frame, which has N(R)."""
    return apdu[2] & 3 != 3


def numbers(apdu: bytes) -> tuple[int, int]:
    """N(S), which only an I-frame has, and N(R)."""
    sent, received = struct.unpack_from("<HH", apdu, 2)
    return sent >> 1, received >> 1


def numbered(body: bytes, sent: int, received: int) -> bytes:
    """An I-frame."""
    return struct.pack("<BBHH", 0x68, 4 + len(body), sent << 1 & 0xFFFF, received << 1 & 0xFFFF) + body


def acknowledgement(received: int) -> bytes:
    """An S-frame."""
    return struct.pack("<BBHH", 0x68, 4, 1, received << 1 & 0xFFFF)


def words(apdu: bytes) -> set[str]:
    """The name: `STARTDT`, `act`; `S`; or of an I-frame its type, its cause, `refused` where that is
    negative, the first object address, `select` or `execute`."""
    if apdu[2] & 3 == 3:
        return set(FUNCTIONS[apdu[2]].split())
    if not is_numbered(apdu):
        return {"S"}
    kind, cause, address = apdu[6], apdu[8], int.from_bytes(apdu[12:15], "little")
    said = {TYPES.get(kind, str(kind)), CAUSES.get(cause & 0x3F, str(cause & 0x3F)), str(address)}
    if cause & 0x40:
        said.add("refused")
    if kind in COMMANDS:
        said.add("select" if apdu[-1] & 0x80 else "execute")
    return said
