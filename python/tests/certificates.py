"""Certificates for servers and clients on loopback, by the command line of OpenSSL."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

#: Everything that OpenSSL would otherwise look for in its own configuration.
CONFIGURATION = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1, DNS:localhost
extendedKeyUsage = serverAuth, clientAuth
[client]
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid
subjectAltName = DNS:client
extendedKeyUsage = clientAuth
"""

REQUEST = "req -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


class Certificates:
    """An authority, a server's certificate for 127.0.0.1 and localhost, and a client's: PEM files."""

    def __init__(self, folder: Path) -> None:
        self.authority = folder / "authority.crt"
        #: It signed nothing here: who trusts only this one trusts no server of the kit.
        self.other_authority = folder / "other.crt"
        self.server_certificate, self.server_key = folder / "server.crt", folder / "server.key"
        self.client_certificate, self.client_key = folder / "client.crt", folder / "client.key"


@functools.cache
def certificates() -> Certificates:
    """Those of this process, made at the first call."""
    folder = Path(tempfile.mkdtemp(prefix="hotclub-tls-"))
    atexit.register(_remove, folder, os.getpid())
    (folder / "openssl.cnf").write_text(CONFIGURATION)
    _make_authority(folder, "authority")
    _make_authority(folder, "other")
    _sign(folder, "server", serial=2)
    _sign(folder, "client", serial=3)
    return Certificates(folder)


def _make_authority(folder: Path, name: str) -> None:
    rest = f"-x509 -extensions authority -days 30 -keyout {name}.key -out {name}.crt"
    _openssl(folder, f"{REQUEST} {rest} -subj /CN=hotclub-{name}")


def _sign(folder: Path, name: str, serial: int) -> None:
    _openssl(folder, f"{REQUEST} -keyout {name}.key -out {name}.csr -subj /CN={name}")
    by = "-CA authority.crt -CAkey authority.key -extfile openssl.cnf"
    what = f"-in {name}.csr -out {name}.crt -days 30 -set_serial {serial} -extensions {name}"
    _openssl(folder, f"x509 -req {what} {by}")


def _openssl(folder: Path, arguments: str) -> None:
    command = ["openssl", *arguments.split(" ")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl {arguments}:\n{done.stderr}"


def _remove(folder: Path, owner: int) -> None:
    # A forked child that ends must not take away what its parent uses.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
