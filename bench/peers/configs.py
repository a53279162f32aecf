"""The configurations that somebody would write by hand for one service each. Pure text.

Each gets as many threads as the machine has CPUs, as HAProxy takes by itself, and keeps its
connections to the instance.
"""

from bench.peers.routes import (
    INSTANCE_H2C_PORT,
    INSTANCE_PORT,
    LARGE,
    ROUTES,
    TWIN_OFFSET,
    Side,
)

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
    upstream {route.name} {{
        server {instance};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address}:{port}{http2};
        location / {{
            proxy_pass http://{route.name};
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
        listen {port};
        listen {twin_port};
        listen {h2c_port} http2;
        listen {h2c_twin_port} http2;
        location = / {{ return 200 "hello from the instance\\n"; }}
        location = {large} {{ root {folder}; }}
    }}
"""
_HAPROXY_HEAD = """
global
    maxconn 4000
defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m
    http-reuse safe
"""
_HAPROXY_ROUTE = """
listen {route.name}
    bind {address}:{port}
    server one {route.instance} check{proto}
"""
_CADDY_HEAD = """
{
    admin off
    auto_https off
    persist_config off
    servers {
        protocols h1 h2c
    }
}
"""
_CADDY_ROUTE = """
http://:{port} {{
    bind {address}
    reverse_proxy {scheme}{route.instance} {{
        transport http {{
            keepalive_idle_conns_per_host 64
        }}
    }}
}}
"""


def instance(folder: str) -> str:
    """Return the instance's: it is nginx, with one worker, its answers in memory."""
    head = _NGINX_HEAD.format(folder=folder, workers=1)
    server = _INSTANCE.format(
        folder=folder,
        port=INSTANCE_PORT,
        twin_port=INSTANCE_PORT + TWIN_OFFSET,
        h2c_port=INSTANCE_H2C_PORT,
        h2c_twin_port=INSTANCE_H2C_PORT + TWIN_OFFSET,
        large=LARGE,
    )
    return f"{head}{server}}}\n"


def nginx(folder: str, address: str, workers: int) -> str:
    """Return nginx's: it takes h2c from clients, and speaks HTTP/1.1 to every instance."""
    servers = ""
    for route in ROUTES:
        servers += _NGINX_ROUTE.format(
            route=route,
            address=address,
            port=route.port_at(Side.NGINX),
            http2=" http2" if route.h2c else "",
            instance=f"{route.host}:{INSTANCE_PORT}",
        )
    return _NGINX_HEAD.format(folder=folder, workers=workers) + servers + "}\n"


def haproxy(address: str) -> str:
    """Return HAProxy's with `http-reuse safe`."""
    listeners = ""
    for route in ROUTES:
        proto = " proto h2" if route.h2c else ""
        port = route.port_at(Side.HAPROXY)
        listeners += _HAPROXY_ROUTE.format(route=route, address=address, port=port, proto=proto)
    return _HAPROXY_HEAD + listeners


def caddy(address: str) -> str:
    """Return Caddy's."""
    sites = ""
    for route in ROUTES:
        scheme = "h2c://" if route.h2c else ""
        port = route.port_at(Side.CADDY)
        sites += _CADDY_ROUTE.format(route=route, address=address, port=port, scheme=scheme)
    return _CADDY_HEAD + sites
