"""A station inside TLS that asks its control centre for a certificate: `protected_station.py PKI`.

There is no centre of this kind: the library's own client cannot be told which name the station's
certificate should have, and goes no further without one.
"""

import pathlib
import signal
import sys
import threading

import c104

import plan

IP, (CA, _) = plan.STATIONS["north"]
PORT = 19998
VOLTAGE = 2101

pki = pathlib.Path(sys.argv[1])
tls = c104.TransportSecurity(validate=True, only_known=False)
tls.set_certificate(cert=str(pki / "station.pem"), key=str(pki / "station.key"))
tls.set_ca_certificate(cert=str(pki / "authority.pem"))
server = c104.Server(ip=IP, port=PORT, transport_security=tls)
server.add_station(common_address=CA).add_point(io_address=VOLTAGE, type=c104.Type.M_ME_NC_1).value = 20.7
server.start()
done = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: done.set())
done.wait(60)
server.stop()
