"""The configurations that somebody would write by hand. Pure text.

Each gets as many threads as the machine has CPUs, as HAProxy takes by itself, and keeps its
connections to the instance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.peers.routes import INSTANCE_H2C_PORT, INSTANCE_PORT, LARGE, TWIN_OFFSETS

# The default of 1,000 would have peers reconnect while they are measured.
_NGINX_HEAD = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes {workers};
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
"""
_NGINX_ROUTE = """
    upstream {listener.name} {{
        server {listener.instance};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address}:{listener.port}{http2};
        location / {{
            proxy_pass http://{listener.name};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffers 32 8k;
        }}
    }}
"""
_INSTANCE = """
    sendfile on;
    open_file_cache max=10;
    server {{
{listens}
        location = / {{ return 200 "hello from the instance\\n"; }}
        location = {large} {{ root {folder}; }}
    }}
"""
_HAPROXY_HEAD = """
global
    master-worker
    maxconn 4000
defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m
    http-reuse safe
"""
_HAPROXY_ROUTE = """
listen {listener.name}
    bind {address}:{listener.port}
    server one {listener.instance} check{proto}
"""
_CADDY_HEAD = """
{{
    admin {admin}
    auto_https off
    persist_config off
    servers {{
        protocols h1 h2c
    }}
}}
"""
_CADDY_ROUTE = """
http://:{listener.port} {{
    bind {address}
    reverse_proxy {scheme}{listener.instance} {{
        transport http {{
            keepalive_idle_conns_per_host 64
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Listener:
    """One service: the port it is offered at, and its only instance as `address:port`."""

    name: str
    port: int
    instance: str
    h2c: bool = False


def instance(folder: str) -> str:
    """Return the instance's: it is nginx, with one worker, its answers in memory."""
    head = _NGINX_HEAD.format(folder=folder, workers=1)
    listens = [
        f"        listen {port + offset}{http2};"
        for port, http2 in ((INSTANCE_PORT, ""), (INSTANCE_H2C_PORT, " http2"))
        for offset in TWIN_OFFSETS.values()
    ]
    server = _INSTANCE.format(folder=folder, listens="\n".join(listens), large=LARGE)
    return f"{head}{server}}}\n"


def nginx(folder: str, address: str, workers: int, listeners: Sequence[Listener]) -> str:
    """Return nginx's: it takes h2c from clients, and speaks HTTP/1.1 to every instance."""
    servers = ""
    for listener in listeners:
        http2 = " http2" if listener.h2c else ""
        servers += _NGINX_ROUTE.format(listener=listener, address=address, http2=http2)
    return _NGINX_HEAD.format(folder=folder, workers=workers) + servers + "}\n"


def haproxy(address: str, listeners: Sequence[Listener]) -> str:
    """Return HAProxy's with `http-reuse safe`."""
    sections = ""
    for listener in listeners:
        proto = " proto h2" if listener.h2c else ""
        sections += _HAPROXY_ROUTE.format(listener=listener, address=address, proto=proto)
    return _HAPROXY_HEAD + sections


def caddy(address: str, listeners: Sequence[Listener], admin: str = "off") -> str:
    """Return Caddy's; `admin` is where its API listens."""
    sites = ""
    for listener in listeners:
        scheme = "h2c://" if listener.h2c else ""
        sites += _CADDY_ROUTE.format(listener=listener, address=address, scheme=scheme)
    return _CADDY_HEAD.format(admin=admin) + sites
