"""Who lives where in the recorded network, and which points each station has.

The addresses must agree with the table of hosts in `../record`.
"""

import os

import c104

T = c104.Type
SBO = c104.CommandMode.SELECT_AND_EXECUTE
DIRECT = c104.CommandMode.DIRECT

IEC104_PORT = 2404
BROKER = "10.20.0.20"
MQTT_PORT = 1883

# Controlled stations: address and the common addresses behind it.
STATIONS = {
    "north": ("10.30.1.10", (11, 12)),
    "east": ("10.30.2.10", (21,)),
    "south": ("10.30.3.10", (31,)),
}

# Monitored points of every common address: address, type, first value. They bear no time tag, for
# interrogations and cycles must be answered without one (IEC 60870-5-101, 7.2.6.2); an event adds its tag.
MONITORED = (
    (1001, T.M_SP_NA_1, False),  # local control
    (1002, T.M_SP_NA_1, True),  # auxiliary supply healthy
    (1003, T.M_SP_NA_1, False),  # door open
    (1101, T.M_DP_NA_1, c104.Double.ON),  # circuit breaker
    (1102, T.M_DP_NA_1, c104.Double.ON),  # disconnector
    (1201, T.M_ST_NA_1, c104.Int7(3)),  # tap of the transformer
    (1301, T.M_BO_NA_1, c104.Byte32(0x00C0FFEE)),  # state word of the protection
    (2001, T.M_ME_NA_1, c104.NormalizedFloat(0.25)),  # reactive power, share of rated
    (2003, T.M_ME_NB_1, c104.Int16(-137)),  # active power, kW
    (2101, T.M_ME_NC_1, 20.7),  # voltage, kV
    (2102, T.M_ME_NC_1, 143.5),  # current, A
    (2201, T.M_ME_ND_1, c104.NormalizedFloat(-0.5)),  # temperature, share of range
    (3001, T.M_IT_NA_1, 481_516),  # energy out, kWh
    (3002, T.M_IT_NA_1, 2_342),  # energy in, kWh
)

# Reported every so many milliseconds with cause "periodic"; the rest is reported when it changes.
CYCLIC = {2101: 2000, 2003: 4000}

# Command points: address, type, mode, the monitored point that they move.
COMMANDS = (
    (5001, T.C_SC_NA_1, DIRECT, 1001),
    (5002, T.C_SC_TA_1, DIRECT, 1002),
    (5003, T.C_SC_NA_1, SBO, 1003),
    (5101, T.C_DC_NA_1, SBO, 1101),
    (5102, T.C_DC_NA_1, SBO, 1102),
    (5201, T.C_RC_NA_1, DIRECT, 1201),
    (5301, T.C_SE_NA_1, DIRECT, 2001),
    (5302, T.C_SE_NB_1, DIRECT, 2003),
    (5303, T.C_SE_NC_1, DIRECT, 2101),
    (5304, T.C_SE_TC_1, DIRECT, 2102),
    (5401, T.C_BO_NA_1, DIRECT, 1301),
)


def connect_muted(client: c104.Client, ip: str) -> c104.Connection:
    """A link that sends nothing by itself, not even STARTDT."""
    return client.add_connection(ip, IEC104_PORT, init=c104.Init.MUTED)


def go_first() -> None:
    """The library begins to wait for an answer after it has sent the question, and misses one that is there
    already. Between namespaces an answer takes a tenth of a millisecond, so nobody may interrupt who asks."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
