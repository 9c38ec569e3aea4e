"""The protocol's published vectors, and those of the official library."""

import base64

from pusher import Pusher

from drf_model_pusher.authorization.signing import shared_secret, sign_channel, sign_user

KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"


def test_a_private_channel():
    auth = sign_channel(KEY, SECRET, socket_id="1234.1234", channel="private-foobar")
    assert auth == f"{KEY}:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"


def test_a_presence_channel_signs_the_text_that_is_sent():
    auth = sign_channel(
        KEY,
        SECRET,
        socket_id="1234.1234",
        channel="presence-foobar",
        channel_data='{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
    )
    assert auth == f"{KEY}:31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80"


def test_a_sign_in():
    auth = sign_user(KEY, SECRET, socket_id="1234.1234", user_data='{"id":"12345"}')
    assert auth == f"{KEY}:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"


def test_the_secret_of_an_encrypted_channel_is_text():
    master_key = base64.b64decode("zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU=")
    secret = shared_secret("private-encrypted-tests", master_key)
    assert secret == "qhmTDsAj3ax60kMPsBk1/BE0EUSLkd0QFA14jpks9ms="


def test_the_official_library_signs_alike():
    theirs = Pusher(app_id="3", key=KEY, secret=SECRET).authenticate("private-a", "1.2")["auth"]
    assert sign_channel(KEY, SECRET, socket_id="1.2", channel="private-a") == theirs
