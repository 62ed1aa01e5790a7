#!/usr/bin/env python3
"""Has the kernel receive frames on an interface, faster than any sender sends them.

    flood.py INTERFACE COUNT LENGTH

COUNT frames of LENGTH octets, as fast as it can. An XDP program that passes everything is run over each of them
(BPF_PROG_RUN with live frames, Linux 5.18), so that they take the way of frames from a network card. Needs root.
"""

import ctypes
import os
import socket
import struct
import sys
import time

BPF_PROG_LOAD, BPF_PROG_TEST_RUN = 5, 10
BPF_PROG_TYPE_XDP = 6
LIVE_FRAMES = 1 << 1
SYSCALL = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
BATCH = 64
# To begin and to end a run takes longer than some thousand frames.
PORTION = 500_000

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = libc.syscall(SYSCALL, command, buffer, len(buffer))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def pointer(buffer):
    return ctypes.cast(buffer, ctypes.c_void_p).value


def load():
    """r0 = XDP_PASS; exit"""
    code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xB7, 0, 0, 2) + struct.pack("<BBhi", 0x95, 0, 0, 0), 16)
    licence = ctypes.create_string_buffer(b"MIT")
    return bpf(BPF_PROG_LOAD, struct.pack("<IIQQ", BPF_PROG_TYPE_XDP, 2, pointer(code), pointer(licence)))


def frame(length):
    """UDP to port 2404 between two addresses, whose checksums nobody asks for."""
    total = length - 14
    return (
        bytes.fromhex("020000000002 020000000001 0800 4500")
        + struct.pack(">H", total)
        + bytes.fromhex("0001 0000 4011 0000 0a000001 0a010001 3039 0964")
        + struct.pack(">HH", total - 20, 0)
        + b"\xaa" * (total - 28)
    )


def main():
    interface, count, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    program = load()
    data = ctypes.create_string_buffer(frame(length), length)
    context = ctypes.create_string_buffer(
        struct.pack("<IIIIII", 0, length, 0, socket.if_nametoindex(interface), 0, 0), 24
    )
    begun = time.monotonic()
    sent = 0
    while sent < count:
        now = min(PORTION, count - sent)
        bpf(
            BPF_PROG_TEST_RUN,
            struct.pack(
                "<IIIIQQIIIIQQIII", program, 0, length, 0, pointer(data), 0, now, 0, 24, 0, pointer(context), 0,
                LIVE_FRAMES, 0, BATCH,
            ),
        )
        sent += now
    seconds = time.monotonic() - begun
    print(f"{sent} frames of {length} octets in {seconds:.2f} s: {sent / seconds / 1e6:.3f} M/s")


if __name__ == "__main__":
    main()
