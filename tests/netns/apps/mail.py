# SPDX-License-Identifier: BSD-3-Clause
"""Mail: Exim (a process per connection, executed anew to deliver) and Dovecot (login processes hand sockets over)."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

from harness.process import Process

from .base import App, Scene, settle

EXIM = App("exim", packages=["exim4-daemon-light", "curl"], needs=["exim4", "curl"])
DOVECOT = App("dovecot", packages=["dovecot-imapd", "curl"], needs=["dovecot", "/usr/lib/dovecot/imap", "curl"])

EXIM_CONF = """\
primary_hostname = apps.test
domainlist local = apps.test
spool_directory = {folder}/spool
log_file_path = {folder}/exim-%slog
daemon_smtp_ports = 2525
tls_on_connect_ports =
tls_certificate = {cert}
tls_privatekey = {key}
tls_advertise_hosts = *
never_users =
deliver_drop_privilege
acl_smtp_rcpt = check
smtp_accept_max_per_host = 100
queue_only = false
begin acl
check:
    accept domains = +local
    deny message = relay not permitted
begin routers
here:
    driver = accept
    domains = +local
    transport = file
begin transports
file:
    driver = appendfile
    file = {folder}/spool/inbox
    create_file = anywhere
begin retry
* * F,2h,15m
"""
DOVECOT_CONF = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = /dev/stderr
protocols = imap
listen = *
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
ssl_client_ca_dir =
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
passdb {{
    driver = static
    args = password=secret
}}
userdb {{
    driver = static
    args = uid=mail gid=mail home={folder}/mail/%u
}}
service imap-login {{
    chroot =
    inet_listener imap {{
        port = 1143
    }}
    inet_listener imaps {{
        port = 1993
        ssl = yes
    }}
}}
service anvil {{
    chroot =
}}
"""
MESSAGE = "From: a@apps.test\r\nTo: b@apps.test\r\nSubject: number {number}\r\n\r\n{body}"


def message(scene: Scene, number: int, lines: int = 200) -> str:
    """The path of a mail."""
    body = "".join(f"line {i} of {number}\r\n" for i in range(lines))
    return str(scene.write(f"mail{number}", MESSAGE.format(number=number, body=body)))


@contextlib.contextmanager
def exim(scene: Scene) -> Iterator[Process]:
    """Exim that takes what is for apps.test."""
    cert, key = scene.certificate()
    key.chmod(0o644)
    spool = scene.path("spool")
    spool.mkdir()
    scene.folder.chmod(0o777)
    shutil.chown(spool, "Debian-exim", "Debian-exim")
    conf = scene.write("exim.conf", EXIM_CONF.format(folder=scene.folder, cert=cert, key=key))
    argv = ["exim4", "-C", conf, "-bdf", "-oP", scene.path("exim.pid")]
    with scene.serving(argv, 2525) as process:
        yield process


@EXIM.workload("20 mails by SMTP and STARTTLS, delivered; a refused one", ways=("serves", "asks", "local"), at_least=20)
def delivers(scene: Scene) -> dict[str, Any]:
    url = f"smtp://{scene.address}:2525"
    facts: dict[str, Any] = {"codes": []}
    inbox = scene.path("spool/inbox")
    with exim(scene):
        for number in range(20):
            tls = ["--ssl-reqd", "--cacert", str(scene.certificate()[0])] if number % 4 == 0 else []
            argv = ["curl", "-sS", *tls, url, "--mail-from", "a@apps.test", "--mail-rcpt", "b@apps.test", "-T",
                    message(scene, number)]  # fmt: skip
            facts["codes"].append(scene.try_ask(*argv))
        facts["refused"] = scene.try_ask("curl", "-sS", url, "--mail-from", "a@apps.test", "--mail-rcpt",
                                         "b@else.test", "-T", message(scene, 99))[0]  # fmt: skip
        facts["all there"] = settle(lambda: inbox.exists() and inbox.read_text().count("\nSubject: number") == 20)
    text = inbox.read_text() if inbox.exists() else ""
    facts["lines"] = sorted(line for line in text.splitlines() if line.startswith(("line ", "Subject: ")))[::50]
    return facts


@DOVECOT.workload("IMAP and IMAPS: append, list, fetch, wrong password", ways=("serves", "asks", "local"), at_least=14)
def imap(scene: Scene) -> dict[str, Any]:
    cert, key = scene.certificate()
    scene.folder.chmod(0o777)
    mail = scene.path("mail")
    mail.mkdir()
    shutil.chown(mail, "mail", "mail")
    conf = scene.write("dovecot.conf", DOVECOT_CONF.format(folder=scene.folder, cert=cert, key=key))
    urls = {"plain": f"imap://{scene.address}:1143/INBOX", "tls": f"imaps://{scene.address}:1993/INBOX"}
    facts: dict[str, Any] = {}
    with scene.serving(["dovecot", "-F", "-c", conf], 1143):
        for name, url in urls.items():
            ask = ["curl", "-sS", "--cacert", str(cert), "-u", f"{name}:secret"]
            facts[name] = {
                "appended": [scene.try_ask(*ask, "-T", message(scene, n, 5000), url)[0] for n in range(3)],
                "list": scene.try_ask(*ask, url, "-X", "FETCH 1:* (FLAGS RFC822.SIZE)"),
                "fetched": [scene.try_ask(*ask, f"{url};MAILINDEX={n}")[1][-60:] for n in (1, 2, 3)],
                "missing": scene.try_ask(*ask, f"{url};MAILINDEX=9")[0],
            }
        facts["wrong"] = scene.try_ask("curl", "-sS", "-u", "plain:wrong", urls["plain"])[0]
    return facts
