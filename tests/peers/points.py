"""The points of the station, and values as a scenario writes them: `on`, `off`, or a number."""

import c104

T = c104.Type
DIRECT = c104.CommandMode.DIRECT
SELECT = c104.CommandMode.SELECT_AND_EXECUTE

MONITORED = {
    1001: (T.M_SP_NA_1, "off"),
    1002: (T.M_SP_NA_1, "on"),
    1101: (T.M_DP_NA_1, "on"),
    2001: (T.M_ME_NB_1, "-137"),
    2101: (T.M_ME_NC_1, "20.5"),
    2102: (T.M_ME_NC_1, "143.5"),
    2103: (T.M_ME_NC_1, "49.98"),
    2104: (T.M_ME_NC_1, "8.25"),
    2105: (T.M_ME_NC_1, "-2.5"),
    2106: (T.M_ME_NC_1, "-7.75"),
    2107: (T.M_ME_NC_1, "0.93"),
    2108: (T.M_ME_NC_1, "12.0"),
    3001: (T.M_IT_NA_1, "481516"),
}
COMMANDS = {
    5001: (T.C_SC_NA_1, DIRECT),
    5002: (T.C_SC_NA_1, SELECT),
    5003: (T.C_DC_NA_1, SELECT),
    5101: (T.C_SE_NB_1, DIRECT),
    5102: (T.C_SE_NC_1, SELECT),
    # The station refuses it, each time.
    5009: (T.C_SC_NA_1, DIRECT),
    # The same where it must be selected: the selection is confirmed, the execution is not.
    5010: (T.C_SC_NA_1, SELECT),
}
REFUSED = (5009, 5010)
# The station does not have it.
MISSING = {5099: (T.C_SC_NA_1, DIRECT)}


def set_value(point: c104.Point, text: str) -> None:
    match point.type:
        case T.M_SP_NA_1 | T.C_SC_NA_1:
            point.value = text == "on"
        case T.M_DP_NA_1 | T.C_DC_NA_1:
            point.value = c104.Double.ON if text == "on" else c104.Double.OFF
        case T.M_ME_NB_1 | T.C_SE_NB_1:
            point.value = c104.Int16(int(text))
        case T.M_IT_NA_1:
            # The library's default for the quality is of the wrong type.
            good = c104.BinaryCounterQuality()
            point.info = c104.BinaryCounterInfo(counter=int(text), sequence=c104.UInt5(1), quality=good)
        case _:
            point.value = float(text)
