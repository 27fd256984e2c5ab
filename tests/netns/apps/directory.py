# SPDX-License-Identifier: BSD-3-Clause
"""OpenLDAP: slapd's threads and its own event loop, TLS, many results."""

from __future__ import annotations

import hashlib
from typing import Any

from .base import App, Scene

APP = App("slapd", packages=["slapd", "ldap-utils"], needs=["slapd", "ldapadd", "ldapsearch"])

CONF = """\
include /etc/ldap/schema/core.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
database mdb
suffix "dc=test"
rootdn "cn=root,dc=test"
rootpw secret
directory {folder}/db
sizelimit unlimited
"""


@APP.workload("500 entries added, searched, changed, by TLS too", ways=("serves", "asks", "local"), at_least=6)
def slapd(scene: Scene) -> dict[str, Any]:
    cert, key = scene.certificate()
    scene.path("db").mkdir()
    conf = scene.write("slapd.conf", CONF.format(folder=scene.folder, cert=cert, key=key))
    lines = ["dn: dc=test\nobjectClass: domain\ndc: test\n"]
    lines += [f"dn: cn=n{i},dc=test\nobjectClass: device\ncn: n{i}\ndescription: {'x' * 500}\n" for i in range(500)]
    feed = scene.write("feed.ldif", "\n".join(lines))
    url = f"ldap://{scene.address}:3890"
    root = ["-x", "-D", "cn=root,dc=test", "-w", "secret"]
    tls = {"LDAPTLS_CACERT": str(cert)}
    argv = ["slapd", "-d", "0", "-h", f"ldap://0.0.0.0:3890 ldaps://{scene.address}:6360", "-f", conf]
    facts: dict[str, Any] = {}
    with scene.serving(argv, 3890):
        added, said = scene.try_ask("ldapadd", *root, "-H", url, "-f", feed)
        facts["added"] = [added, said.count("adding new entry")]
        search = ["-x", "-LLL", "-b", "dc=test", "(objectClass=device)", "cn", "description"]
        for name, more in (("plain", ["-H", url]), ("starttls", ["-ZZ", "-H", url]),
                           ("ldaps", ["-H", f"ldaps://{scene.address}:6360"])):  # fmt: skip
            code, text = scene.try_ask("ldapsearch", *more, *search, env=tls)
            facts[name] = [code, hashlib.sha256(text.encode()).hexdigest(), text.count("dn: ")]
        facts["deleted"] = scene.try_ask("ldapdelete", *root, "-H", url, "cn=n7,dc=test")
        facts["again"] = scene.try_ask("ldapdelete", *root, "-H", url, "cn=n7,dc=test")[0]
        facts["wrong"] = scene.try_ask("ldapsearch", "-x", "-D", "cn=root,dc=test", "-w", "no", "-H", url)[0]
    return facts
