"""Addresses that a careless server would fetch pictures from: 100 of them. Called by test_no_addresses.

They lead to a listener of this machine, to a file of it, or to what only a server inside a network reaches.
"""

from __future__ import annotations

import base64

_HERE = (
    "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "127.0.1", "127.0.0.1.", "2130706433", "0x7f000001", "0x7f.1",
    "017700000001", "0177.0.0.1", "0177.0.0.01", "00000177.0.0.1", "127.000.000.001", "0", "0.0.0.0", "[::1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[::1%25lo]", "127.0.0.1.nip.io", "localtest.me", "localhost.localdomain", "ip6-localhost", "①②⑦.⓪.⓪.①", "127。0。0。1",
    "ⓛocalhost", "%31%32%37.0.0.1", "evil.example@127.0.0.1", "a:b@localhost", "evil.example%40127.0.0.1",
)  # fmt: skip
_INSIDE = (
    "169.254.169.254/latest/meta-data/", "2852039166/", "0xa9fea9fe/", "[::ffff:169.254.169.254]/", "[fd00:ec2::254]/",
    "metadata.google.internal/computeMetadata/v1/", "100.100.100.200/", "10.0.0.1/", "192.168.0.1/a.png", "172.16.0.1/",
    "[fe80::1]/", "[fc00::1]/", "224.0.0.1/", "255.255.255.255/", "intranet/a.png", "router.local/a.png",
    "xn--nxasmq6b/a.png", "host.docker.internal/a.png",
)  # fmt: skip
_SCHEMES = (
    "https", "HTTP", "hTtPs", "ftp", "sftp", "tftp", "dict", "ldap", "ws", "git", "rtsp", "view-source:http", "jar:http",
    "feed:http", "url:http", "blob:http",
)  # fmt: skip


def addresses(port: int, file: str) -> list[str]:
    """100 addresses: of the listener at a port, of a file (an absolute path), and of places inside a network."""
    at = f"127.0.0.1:{port}"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://{at}/svg.png" width="9" height="9"/></svg>'
    body = base64.b64encode(svg.encode()).decode()
    found = [
        *(f"http://{host}:{port}/{number}.png" for number, host in enumerate(_HERE)),
        *(f"http://{place}" for place in _INSIDE),
        *(f"{scheme}://{at}/{scheme[:4]}.png" for scheme in _SCHEMES),
        f"//{at}/a.png", f"http:\\\\{at}\\a.png", f"http:{at}/a.png", f"http:/{at}/a.png", f" http://{at}/a.png",
        f"http://{at}/a.png#.jpg", f"http://evil.example#@{at}/", f"http://{at}?/a.png", f"http://{at}\t/a.png",
        f"gopher://{at}/_GET%20/a.png%20HTTP/1.0%0a%0a", f"file://{file}", f"file:{file}", f"file://localhost{file}",
        f"FILE://{file}", f"file:////127.0.0.1{file}", file, f"\\\\{at}\\share\\a.png", f"unix:{file}", f"netdoc://{file}",
        f"php://filter/resource={file}", f"s3://{at}/a.png", f"gs://{at}/a.png", f"smb://{at}/a.png", f"msl:{file}",
        f"data:image/svg+xml;base64,{body}", f"data:image/svg+xml,{svg}", f"data:text/uri-list,http://{at}/a.png",
        f"data:image/png;base64,http://{at}/a.png", f"data:text/html;base64,{body}", f"data:application/x-url;url=http://{at}/,",
    ]  # fmt: skip
    return list(dict.fromkeys(found))
