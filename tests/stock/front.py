"""nginx, which ends TLS before the ledger, the bank and the app's own site, as docs/standards/fapi.md says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.stock.authorities import Authority

BUFFERS = "proxy_buffer_size 64k; proxy_buffers 4 64k; large_client_header_buffers 4 32k;"


@dataclass(frozen=True)
class Ports:
    """Of this machine: where each program listens in the clear, and where nginx does for it."""

    ledger: int
    bank: int
    ledger_tls: int
    bank_tls: int
    app_tls: int

    @property
    def ledger_url(self) -> str:
        return f"https://localhost:{self.ledger_tls}"

    @property
    def bank_url(self) -> str:
        return f"https://localhost:{self.bank_tls}"

    @property
    def back(self) -> str:
        """Where the apps get their customers back."""
        return f"https://localhost:{self.app_tls}/back"


def nginx(folder: Path, ports: Ports, web: Authority, clients: Iterable[Authority], secret: str) -> list[str]:
    """Its command. Customers' browsers come to the ledger without a certificate; whoever comes to the bank needs one."""
    server = web.server(folder)
    (folder / "clients.pem").write_text("".join(one.pem for one in clients))
    places = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    tls = f"ssl_certificate {server}; ssl_certificate_key {server}; ssl_client_certificate {folder}/clients.pem;"
    text = f"""
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;
{"user root;" if os.geteuid() == 0 else ""}
events {{}}
http {{
    access_log off; {places} {BUFFERS} {tls}
    underscores_in_headers on;
    server {{
        listen 127.0.0.1:{ports.ledger_tls} ssl;
        ssl_verify_client optional;
        location / {{
            proxy_pass http://127.0.0.1:{ports.ledger};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header Client-Cert $ssl_client_escaped_cert;
            proxy_set_header Proxy-Secret "{secret}";
        }}
    }}
    server {{
        listen 127.0.0.1:{ports.bank_tls} ssl;
        ssl_verify_client on;
        location / {{
            proxy_pass http://127.0.0.1:{ports.bank};
            proxy_set_header Host $http_host;
            proxy_set_header X-Client-Certificate $ssl_client_escaped_cert;
        }}
    }}
    server {{
        listen 127.0.0.1:{ports.app_tls} ssl;
        default_type text/plain;
        location / {{ return 200 "you are back at the app"; }}
    }}
}}
"""
    main = folder / "nginx.conf"
    main.write_text(text)
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    subprocess.run([program, "-t", "-q", "-c", str(main)], check=True)
    return [program, "-c", str(main)]
