"""Pages of other sites cannot use a local node; pages of this machine can."""

import pytest


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "http://127.0.0.1:8080"}, 200),
        ({"Origin": "http://app.localhost"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://localhost.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Host": "rebound.example:4566"}, 403),
        ({"Origin": "http://rebound.example:4566", "Host": "rebound.example:4566"}, 403),
    ],
)
def test_a_page_of_another_site_is_refused(raw, headers, status):
    body = b"Action=ListQueues&Version=2012-11-05"
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert raw("POST", "/", body, {**form, **headers}).status == status
    assert raw("GET", "/_lambent/functions", b"", headers).status == status


def test_reading_from_s3_is_left_to_the_bucket(raw, client, account):
    client("s3").create_bucket(Bucket=f"pages-{account}")
    foreign = {"Origin": "https://evil.example"}
    path = f"/pages-{account}"
    assert raw("GET", path, b"", foreign, sign="s3").status == 200
    assert raw("PUT", f"{path}/key", b"x", foreign, sign="s3").status == 403
    assert (
        raw("PUT", f"{path}/key", b"x", {"Origin": "http://localhost:3000"}, sign="s3").status
        == 200
    )
