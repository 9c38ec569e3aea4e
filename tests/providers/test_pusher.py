import json

import pytest
from pusher.crypto import generate_shared_secret

from drf_model_pusher.events import PusherEvent, wire_size
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.providers import PusherProvider, get_provider
from tests.pusher_api import Answer

MASTER_KEY = "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="


@pytest.fixture
def provider(pusher_api):
    return get_provider(PusherProvider)


def event(**fields):
    return PusherEvent(**{"channels": ("orders",), "name": "order.update", "data": "{}"} | fields)


class TestTrigger:
    def test_one_event_for_several_channels_is_one_call(self, provider, pusher_api):
        provider.trigger(["a", "b"], "hello", {"word": "Zoë"}, "1.2")
        (call,) = pusher_api.calls
        assert (call.method, call.path, call.signed) == ("POST", "/apps/3/events", True)
        assert call.json == {
            "name": "hello",
            "channels": ["a", "b"],
            "data": '{"word":"Zoë"}',
            "socket_id": "1.2",
        }


class TestSend:
    def test_a_batch_carries_each_items_own_socket_id(self, provider, pusher_api):
        provider.send([event(socket_id="1.1"), event(name="other")])
        (call,) = pusher_api.calls
        assert call.path == "/apps/3/batch_events"
        assert call.json["batch"] == [
            {"channel": "orders", "name": "order.update", "data": "{}", "socket_id": "1.1"},
            {"channel": "orders", "name": "other", "data": "{}"},
        ]

    def test_data_that_the_library_measures_wrongly_passes(self, provider, pusher_api):
        """It counts bytes of Python's memory, not of the wire: 10,200 are refused as too many."""
        text = json.dumps("a" * 10_200)
        provider.send([event(data=text), event(data=text)])
        assert [event["data"] for event in pusher_api.events] == ["a" * 10_200] * 2

    def test_the_limit_may_be_raised_above_the_librarys_own(self, provider, pusher_api):
        provider.send([event(data=json.dumps("a" * 200_000))])
        assert len(pusher_api.events[0]["data"]) == 200_000


class TestEncryption:
    @pytest.fixture
    def provider(self, pusher_api, settings):
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = MASTER_KEY
        return get_provider(PusherProvider)

    def decrypt(self, channel, box):
        import base64

        import nacl.secret

        secret = generate_shared_secret(channel.encode(), base64.b64decode(MASTER_KEY))
        text = nacl.secret.SecretBox(secret).decrypt(
            base64.b64decode(box["ciphertext"]), base64.b64decode(box["nonce"])
        )
        return json.loads(text)

    def test_a_retry_encrypts_the_plain_text_again(self, provider, pusher_api):
        """The library encrypts in place, so that its retries carry a cipher of a cipher."""
        channels = ("private-encrypted-a", "private-encrypted-b")
        secret = event(channels=channels, data='{"to":"nobody"}')
        provider.send([secret])
        provider.send([secret])
        boxes = [(e["channels"][0], e["data"]) for e in pusher_api.events]
        assert [self.decrypt(*box) for box in boxes] == [{"to": "nobody"}] * 4
        assert len({box["nonce"] for _, box in boxes}) == 4
        assert b"nobody" not in pusher_api.calls[0].body

    def test_the_size_on_the_wire_is_known_beforehand(self, provider, pusher_api):
        for length in range(20):
            secret = event(channels=("private-encrypted-a",), data="x" * length)
            provider.send([secret])
            assert wire_size(secret) == len(pusher_api.calls[-1].json["data"])

    def test_without_a_master_key_the_error_names_the_setting(self, pusher_api):
        with pytest.raises(ProviderError, match="PUSHER_ENCRYPTION_MASTER_KEY_BASE64"):
            get_provider(PusherProvider).send([event(channels=("private-encrypted-a",))])
        assert pusher_api.calls == []


class TestRequest:
    def test_a_get_is_signed_without_the_md5_of_nothing(self, provider, pusher_api):
        """Reverb drops it before it verifies, so a signature over it is refused there."""
        pusher_api.default = Answer(body=b'{"channels":{}}')
        params = {"filter_by_prefix": "presence-a&b", "info": "user_count"}
        assert provider.request("GET", "channels", params) == {"channels": {}}
        (call,) = pusher_api.calls
        assert call.signed
        assert "body_md5" not in call.query
        assert call.query["filter_by_prefix"] == "presence-a&b"

    def test_retry_after_may_be_a_date(self, provider, pusher_api):
        date = "Wed, 21 Oct 2099 07:28:00 GMT"
        pusher_api.default = Answer(status=503, headers={"Retry-After": date})
        with pytest.raises(ProviderError) as caught:
            provider.request("GET", "channels")
        assert caught.value.retry_after > 1_000_000
        assert (caught.value.status, caught.value.retryable) == (503, True)

    @pytest.mark.parametrize("value", ["soon", "-5", ""])
    def test_a_retry_after_that_means_nothing_is_ignored(self, provider, pusher_api, value):
        pusher_api.default = Answer(status=503, headers={"Retry-After": value})
        with pytest.raises(ProviderError) as caught:
            provider.request("GET", "channels")
        assert caught.value.retry_after is None

    def test_redirects_are_not_followed(self, provider, pusher_api):
        pusher_api.default = Answer(status=302, headers={"Location": "/elsewhere"})
        with pytest.raises(ProviderError, match="302"):
            provider.request("POST", "events", {})
        assert len(pusher_api.calls) == 1


class TestProxy:
    def test_the_environments_is_used(self, pusher_api, settings, monkeypatch):
        monkeypatch.setenv("http_proxy", f"http://Ada:p%40ss@127.0.0.1:{pusher_api.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        settings.PUSHER_HOST, settings.PUSHER_PORT = "pusher.invalid", 80
        get_provider(PusherProvider).trigger(["a"], "hello", {})
        (call,) = pusher_api.calls
        assert call.signed
        assert call.headers["Host"].startswith("pusher.invalid")
        assert call.headers["Proxy-Authorization"] == "Basic QWRhOnBAc3M="

    def test_but_not_for_hosts_that_it_excludes(self, pusher_api, monkeypatch):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        get_provider(PusherProvider).trigger(["a"], "hello", {})
        assert len(pusher_api.calls) == 1


class TestTls:
    def test_a_private_authority_is_trusted_if_the_setting_names_it(self, settings, tmp_path):
        import ssl
        import threading
        from http.server import BaseHTTPRequestHandler, HTTPServer

        authority, certificate = self.certificates(tmp_path)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args):
                pass

        class Server(HTTPServer):
            def handle_error(self, *args):
                pass

        server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        settings.PUSHER_HOST, settings.PUSHER_PORT = "127.0.0.1", str(server.server_port)
        settings.PUSHER_SSL = True
        try:
            with pytest.raises(ProviderError, match="SSLError"):
                get_provider(PusherProvider).trigger(["a"], "hello", {})
            settings.PUSHER_CA_BUNDLE = str(authority)
            get_provider(PusherProvider).trigger(["a"], "hello", {})
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def certificates(self, folder):
        """Return the paths of an authority's certificate, and of a key and certificate from it."""
        import datetime
        import ipaddress

        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        def name(text):
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        def build(subject, public_key, signer, *extensions):
            now = datetime.datetime.now(datetime.timezone.utc)
            builder = (
                x509.CertificateBuilder()
                .subject_name(name(subject))
                .issuer_name(name("authority"))
                .public_key(public_key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1))
                .not_valid_after(now + datetime.timedelta(days=1))
            )
            for extension in extensions:
                critical = isinstance(extension, (x509.BasicConstraints, x509.KeyUsage))
                builder = builder.add_extension(extension, critical=critical)
            return builder.sign(signer, hashes.SHA256())

        signer, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        identifier = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
        own = build(
            "authority",
            signer.public_key(),
            signer,
            x509.BasicConstraints(ca=True, path_length=None),
            usage,
            identifier,
        )
        served = build(
            "server",
            key.public_key(),
            signer,
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
        )
        pem = serialization.Encoding.PEM
        authority, certificate = folder / "authority.pem", folder / "server.pem"
        authority.write_bytes(own.public_bytes(pem))
        private = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        certificate.write_bytes(private + served.public_bytes(pem))
        return authority, certificate
