# SPDX-License-Identifier: Apache-2.0
import ssl
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from fakes.web import Answer, serving

from amphora_image.clients.session import adapter, has_credentials, load_session, project_id
from amphora_image.clients.translate import translated
from amphora_image.config import load
from amphora_image.errors import AuthenticationError, ConfigurationError, ServiceUnavailableError

CANARY = "canary-4711"
APP_SECRET = f"application_credential_secret={CANARY}"
OIDC = "identity_provider=i\nprotocol=p\nclient_id=c\naccess_token_endpoint=http://t"


def session_of(folder, auth, more=""):
    ini = folder / "x.ini"
    ini.write_text(f"[service_auth]\n{auth}\n{more}")
    conf = load([str(ini)])
    return load_session(conf), conf


@pytest.mark.parametrize(
    ("auth", "plugin"),
    [
        (
            f"auth_type=password\nauth_url=http://k/v3\nusername=u\npassword={CANARY}\nproject_name=p",
            "generic.password",
        ),
        (f"auth_type=v3password\nauth_url=http://k/v3\nuser_id=u\npassword={CANARY}", "v3.password"),
        (f"auth_type=token\nauth_url=http://k/v3\ntoken={CANARY}", "generic.token"),
        (f"auth_type=v3token\nauth_url=http://k/v3\ntoken={CANARY}", "v3.token"),
        (
            f"auth_type=v3applicationcredential\nauth_url=http://k/v3\napplication_credential_id=a\n{APP_SECRET}",
            "application_credential",
        ),
        (
            f"auth_type=v3oidcpassword\nauth_url=http://k/v3\n{OIDC}\nclient_secret={CANARY}\nusername=u\npassword=x",
            "oidc",
        ),
        (f"auth_type=http_basic\nendpoint=http://g\nusername=u\npassword={CANARY}", "http_basic"),
        ("auth_type=none\nendpoint=http://g", "noauth"),
    ],
)
def test_every_auth_plugin_of_keystoneauth_is_taken_and_nothing_is_sent(tmp_path, auth, plugin):
    session, _ = session_of(tmp_path, auth)
    assert plugin in type(session.auth).__module__
    assert CANARY not in repr(session)


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        ("", "has no auth_type"),
        ("auth_type=telepathy", "telepathy"),
        (f"auth_type=v3applicationcredential\napplication_credential_secret={CANARY}", "application credential ID"),
        (f"auth_type=password\npassword={CANARY}", "auth_url"),
    ],
)
def test_missing_or_unknown_credentials_are_told_without_the_secret(tmp_path, auth, told):
    with pytest.raises(ConfigurationError, match=told) as caught:
        session_of(tmp_path, auth)
    assert CANARY not in str(caught.value)


def test_a_request_has_a_time_limit_also_when_the_ini_names_none(tmp_path):
    session, _ = session_of(tmp_path, "auth_type=none\nendpoint=http://g")
    assert session.timeout == 60
    session, _ = session_of(tmp_path, "auth_type=none\nendpoint=http://g\ntimeout=7")
    assert session.timeout == 7
    session, _ = session_of(
        tmp_path, "auth_type=none\nendpoint=http://g", "[amphora_image]\nrequest_timeout_seconds = 9"
    )
    assert session.timeout == 9


def test_a_password_that_is_missing_is_told_where_keystoneauth_notices_it(tmp_path):
    with serving(Answer({}, 404)) as web:
        session, _ = session_of(tmp_path, f"auth_type=password\nauth_url={web.url}/v3\nusername=u\nuser_domain_id=d")
        with pytest.raises(ConfigurationError, match="credentials are incomplete: password is a required attribute"):
            project_id(session)


def test_keystone_that_is_not_there_is_told(tmp_path):
    with serving() as web:
        pass
    session, _ = session_of(tmp_path, f"auth_type=password\nauth_url={web.url}\nusername=u\npassword={CANARY}")
    with pytest.raises(ServiceUnavailableError, match="Keystone") as caught:
        project_id(session, deadline_seconds=0.5)
    assert CANARY not in str(caught.value)


def test_keystone_is_asked_again_after_a_passing_fault(tmp_path):
    token = Answer(
        {"token": {"methods": [], "project": {"id": "p1", "name": "p", "domain": {"id": "d", "name": "d"}}}},
        201,
        {"X-Subject-Token": CANARY},
    )
    with serving(Answer("<html>busy</html>", 503), token) as web:
        auth = f"auth_type=v3password\nauth_url={web.url}/v3\nuser_id=u\npassword={CANARY}\nproject_id=p1"
        session, _ = session_of(tmp_path, auth)
        assert project_id(session) == "p1"
        assert len(web.asked) == 2


def test_a_password_that_keystone_refuses_is_told(tmp_path):
    refused = Answer({"error": {"message": "The request you have made requires authentication."}}, 401)
    with serving(refused) as web:
        auth = f"auth_type=v3password\nauth_url={web.url}/v3\nuser_id=u\npassword={CANARY}"
        session, _ = session_of(tmp_path, auth)
        with pytest.raises(AuthenticationError, match=r"Keystone refused the credentials.*\[service_auth\]") as caught:
            project_id(session)
    assert CANARY not in str(caught.value)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    subprocess.run([*command, "-out", made[0], "-keyout", made[1]], check=True, capture_output=True)
    return made


@contextmanager
def serving_tls(certificate, *answers, newest=ssl.TLSVersion.MAXIMUM_SUPPORTED):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.load_cert_chain(*certificate)
    with serving(*answers, tls=context) as web:
        yield web


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # what insecure=true asks for
@pytest.mark.parametrize(
    ("session_tls", "service_tls", "trusted"),
    [
        ("", "", False),
        ("cafile={ca}", "", True),
        ("insecure=true", "", True),
        ("", "ca_certificates_file={ca}", True),
        ("", "insecure=true", True),
        ("insecure=false", "ca_certificates_file=/etc/hostname", False),
    ],
)
def test_tls_is_verified_unless_the_ini_says_otherwise(tmp_path, certificate, session_tls, service_tls, trusted):
    with serving_tls(certificate, Answer({"images": []})) as web:
        auth = f"auth_type=none\nendpoint={web.url}\n{session_tls.format(ca=certificate[0])}\n"
        glance = f"[glance]\nendpoint={web.url}\n{service_tls.format(ca=certificate[0])}\n"
        session, conf = session_of(tmp_path, auth, glance)
        images = adapter(session, conf.glance, "image")
        if trusted:
            assert images.get("/v2/images").json() == {"images": []}
        else:
            refused = pytest.raises(ConfigurationError, match=r"certificate of Glance is not trusted.*cafile")
            with refused, translated("Glance", "list"):
                images.get("/v2/images")


@pytest.mark.parametrize(
    ("wanted", "is_answered"),
    [("tls_min_version=1.2", True), ("tls_min_version=1.3", False), ("tls_ciphers=AES", True)],
)
def test_the_tls_that_the_ini_asks_for_is_used(tmp_path, certificate, wanted, is_answered):
    with serving_tls(certificate, Answer({"images": []}), newest=ssl.TLSVersion.TLSv1_2) as web:
        auth = f"auth_type=none\nendpoint={web.url}\ncafile={certificate[0]}\n{wanted}\n"
        session, conf = session_of(tmp_path, auth)
        images = adapter(session, conf.glance, "image")
        if is_answered:
            assert images.get("/v2/images").json() == {"images": []}
        else:
            refused = pytest.raises(ConfigurationError, match="certificate of Glance is not trusted")
            with refused, translated("Glance", "list"):
                images.get("/v2/images")


def test_ciphers_that_there_are_not_are_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"\[service_auth\] tls_ciphers"):
        session_of(tmp_path, "auth_type=none\nendpoint=http://g\ntls_ciphers=ROT13")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # what insecure=true asks for
def test_a_connection_that_was_not_verified_is_not_used_where_it_must_be(tmp_path, certificate):
    with serving_tls(certificate, *[Answer({"images": []})] * 3) as web:
        glance = f"[glance]\nendpoint={web.url}\ninsecure=true\n[nova]\nendpoint={web.url}\n"
        session, conf = session_of(tmp_path, f"auth_type=none\nendpoint={web.url}", glance)
        for _ in range(2):
            assert adapter(session, conf.glance, "image").get("/v2/images").json() == {"images": []}
        with pytest.raises(ConfigurationError, match="certificate"), translated("Nova", "list"):
            adapter(session, conf.nova, "compute").get("/servers")


def test_the_services_of_one_process_share_one_session(tmp_path):
    session, conf = session_of(tmp_path, "auth_type=none\nendpoint=http://g")
    assert adapter(session, conf.glance, "image").session.session is session
    assert adapter(session, conf.nova, "compute").session.session is session


def token(glance, value="t1", seconds=3600):
    """Keystone's answer with a catalogue that has Glance at ``glance``; the token is good for so many seconds."""
    endpoints = [{"id": "e", "interface": "public", "region": "R", "region_id": "R", "url": glance}]
    expires = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    body = {"methods": [], "expires_at": expires, "catalog": [{"type": "image", "name": "g", "endpoints": endpoints}]}
    return Answer({"token": body}, 201, {"X-Subject-Token": value})


def test_an_endpoint_is_looked_up_anew_with_each_token(tmp_path):
    with serving() as keystone, serving() as old, serving() as new:
        keystone.answers += [token(f"{old.url}/a%20b"), token(new.url, "t2")]
        old.answers += [Answer({"at": "old"}), Answer({"error": {"message": "revoked"}}, 401), Answer({"at": "old"})]
        new.answers += [Answer({"at": "new"})]
        auth = f"auth_type=v3password\nauth_url={keystone.url}/v3\nuser_id=u\npassword={CANARY}\nproject_id=p1"
        session, conf = session_of(tmp_path, auth)
        images = adapter(session, conf.glance, "image")

        found = [images.get("/v2/images").json()["at"] for _ in range(3)]

    # The request whose token is refused goes to the same place once more; the next one follows the new catalogue.
    assert found == ["old", "old", "new"]
    assert {path for _, path, _ in old.asked} == {"/a%20b/v2/images"}


def test_a_token_that_ends_soon_is_renewed_and_one_that_does_not_is_kept(tmp_path):
    with serving() as keystone, serving(*[Answer({})] * 4) as glance:
        keystone.answers += [token(glance.url, f"t{number}", seconds=119) for number in range(4)]
        keystone.answers += [token(glance.url, "long")]
        auth = f"auth_type=v3password\nauth_url={keystone.url}/v3\nuser_id=u\npassword={CANARY}\nproject_id=p1"
        session, conf = session_of(tmp_path, auth)
        images = adapter(session, conf.glance, "image")
        sent = [images.get("/v2/images").request.headers["X-Auth-Token"] for _ in range(4)]
    # keystoneauth renews what ends within two minutes whenever it looks, four times for the first request.
    assert sent == ["t3", "long", "long", "long"]


def test_an_endpoint_that_the_catalogue_has_not_is_told(tmp_path):
    with serving(token("http://127.0.0.1:9")) as keystone:
        auth = f"auth_type=v3password\nauth_url={keystone.url}/v3\nuser_id=u\npassword={CANARY}\nproject_id=p1"
        session, conf = session_of(tmp_path, auth)
        refused = pytest.raises(ConfigurationError, match="has no endpoint of Nova")
        with refused, translated("Nova", "list servers"):
            adapter(session, conf.nova, "compute").get("/servers")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"password = {CANARY}$ecret", r"\[service_auth\] password: a \$ in its value.*write \$\$"),
        ("timeout = abc", r"\[service_auth\] timeout"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_without_it(tmp_path, line, told):
    auth = f"auth_type=password\nauth_url=http://k/v3\nusername=u\n{line}"
    with pytest.raises(ConfigurationError, match=told) as caught:
        session_of(tmp_path, auth)
    assert CANARY not in str(caught.value)
    assert "ecret" not in str(caught.value)


def test_an_auth_type_whose_package_is_missing_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="auth_type"):
        session_of(tmp_path, "auth_type=v3kerberos\nauth_url=http://k/v3")


def test_a_missing_ca_file_is_told(tmp_path, certificate):
    with serving_tls(certificate, Answer({})) as web:
        session, conf = session_of(tmp_path, f"auth_type=none\nendpoint={web.url}\ncafile=/nowhere/ca.pem")
        refused = pytest.raises(ConfigurationError, match=r"cafile.*\[service_auth\]")
        with refused, translated("Glance", "list"):
            adapter(session, conf.glance, "image").get("/v2/images")


@pytest.mark.parametrize("glance", ["insecure=true", "ca_certificates_file={ca}"])
def test_the_password_never_travels_by_a_services_own_rule_for_certificates(tmp_path, certificate, glance):
    with serving_tls(certificate) as keystone:
        auth = f"auth_type=v3password\nauth_url={keystone.url}/v3\nuser_id=u\npassword={CANARY}\nproject_id=p1"
        session, conf = session_of(
            tmp_path, auth, f"[glance]\nendpoint=http://127.0.0.1:1\n{glance.format(ca=certificate[0])}\n"
        )
        refused = pytest.raises(ConfigurationError, match="certificate of Keystone is not trusted")
        with refused, translated("Glance", "list"):
            adapter(session, conf.glance, "image").get("/v2/images")
        assert keystone.asked == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/v3", "http://[::1", "ftp://k/v3", "nohost"])
def test_an_auth_url_that_is_none_is_told_at_once(tmp_path, url):
    session, _ = session_of(tmp_path, f"auth_type=password\nauth_url={url}\nusername=u\npassword={CANARY}")
    with pytest.raises(ConfigurationError, match="auth_url"):
        project_id(session, deadline_seconds=30)


def test_an_auth_url_that_leads_elsewhere_is_told_at_once(tmp_path):
    with serving(*[Answer("<html>nothing here</html>", 404)] * 5) as web:
        session, _ = session_of(
            tmp_path, f"auth_type=password\nauth_url={web.url}/wrong\nusername=u\npassword={CANARY}"
        )
        with pytest.raises(ConfigurationError, match="auth_url"):
            project_id(session, deadline_seconds=30)


@pytest.mark.parametrize(
    ("text", "found"),
    [("", False), ("password = x", False), ("auth_type = password", True), ("auth_section = other", True)],
)
def test_credentials_are_there_or_not_complete_or_not(tmp_path, text, found):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[service_auth]\n{text}\n")
    assert has_credentials(load([str(ini)])) is found


def test_credentials_that_cannot_be_read_are_told(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text("[service_auth]\nauth_type = $nothing\n")
    with pytest.raises(ConfigurationError, match="begins the name of no option"):
        has_credentials(load([str(ini)]))
