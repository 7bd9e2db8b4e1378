"""PartiQL statements through boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Make = Callable[..., str]
Refused = Callable[..., str]


@pytest.fixture
def run(ddb: Any, make: Make) -> Callable[..., Any]:
    """`run(statement, *parameters, **more)`: the items; on a table of two hash keys."""
    make("Music", "Artist:S", "Year:N", gsi={"by_genre": ("Genre:S", "Year:N", "ALL")})

    def execute(statement: str, *parameters: Any, **more: Any) -> Any:
        if parameters:
            more["Parameters"] = list(parameters)
        return ddb.execute_statement(Statement=statement, **more)["Items"]

    for artist in ("a", "b"):
        for year in (1990, 2000, 2010):
            execute(
                f"INSERT INTO Music VALUE {{'Artist': '{artist}', 'Year': {year}, "
                "'Genre': ?, 'Tags': <<'x', 'y'>>, 'Info': {'Label': 'L', 'Sales': [1, 2.50]}}",
                {"S": "rock" if year == 2000 else "pop"},
            )
    return execute


def years(items: Any) -> list[tuple[str, str]]:
    return [(item["Artist"]["S"], item["Year"]["N"]) for item in items]


def test_an_inserted_item_has_the_types_of_its_literals(run: Callable[..., Any]) -> None:
    item = run('SELECT * FROM "Music" WHERE Artist = ? AND "Year" = 2000', {"S": "a"})[0]
    assert item == {
        "Artist": {"S": "a"},
        "Year": {"N": "2000"},
        "Genre": {"S": "rock"},
        "Tags": {"SS": ["x", "y"]},
        "Info": {"M": {"Label": {"S": "L"}, "Sales": {"L": [{"N": "1"}, {"N": "2.5"}]}}},
    }


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Artist = 'a'", [("a", "1990"), ("a", "2000"), ("a", "2010")]),
        ("Artist = 'a' AND \"Year\" > 1990", [("a", "2000"), ("a", "2010")]),
        ("Artist IN ['b', 'a'] AND \"Year\" < 2000", [("b", "1990"), ("a", "1990")]),
        ("Artist = 'a' AND \"Year\" BETWEEN 1995 AND 2005", [("a", "2000")]),
        ("Artist = 'a' AND Genre = 'pop'", [("a", "1990"), ("a", "2010")]),
        (
            "Artist = 'a' AND contains(Tags, 'x') AND NOT \"Year\" = 1990",
            [("a", "2000"), ("a", "2010")],
        ),
        ("Artist = 'a' AND Nothing IS NOT MISSING", []),
        (
            "Artist = 'a' AND Nothing IS MISSING ORDER BY \"Year\" DESC",
            [("a", "2010"), ("a", "2000"), ("a", "1990")],
        ),
        ("Artist = 'a' AND (Info.Label = 'M' OR size(Tags) = 3)", []),
    ],
)
def test_selections(run: Callable[..., Any], where: str, found: list[tuple[str, str]]) -> None:
    assert years(run(f"SELECT * FROM Music WHERE {where}")) == found


def test_scans_indexes_and_columns(run: Callable[..., Any]) -> None:
    assert len(run("SELECT * FROM Music")) == 6
    assert len(run('SELECT * FROM Music WHERE "Year" = 1990')) == 2
    rows = run('SELECT Artist, Info.Sales[1] FROM "Music"."by_genre" WHERE Genre = \'rock\'')
    assert rows == [
        {"Artist": {"S": artist}, "Sales[1]": {"N": "2.5"}} for artist in ("a", "b")
    ] or rows == [{"Artist": {"S": artist}, "Sales[1]": {"N": "2.5"}} for artist in ("b", "a")]


def test_pages_join_up(ddb: Any, run: Callable[..., Any]) -> None:
    statement = "SELECT * FROM Music WHERE Artist IN ['a', 'b']"
    found, token = [], {}
    for _ in range(9):
        answer = ddb.execute_statement(Statement=statement, Limit=2, **token)
        found.extend(answer["Items"])
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert found == run(statement)


def test_updates_and_deletes_need_the_key_and_hold_conditions(
    ddb: Any, run: Callable[..., Any], refused: Refused
) -> None:
    key = "Artist = 'a' AND \"Year\" = 2000"
    new = run(
        "UPDATE Music SET Info.Label = 'M' SET Tags = set_add(Tags, <<'z'>>) "
        f"REMOVE Genre WHERE {key} RETURNING ALL NEW *"
    )[0]
    assert new["Tags"] == {"SS": ["x", "y", "z"]}
    assert (new["Info"]["M"]["Label"], "Genre" in new) == ({"S": "M"}, False)
    assert run(f"UPDATE Music SET Plays = ? WHERE {key} RETURNING MODIFIED NEW *", {"N": "1"}) == [
        {"Plays": {"N": "1"}}
    ]
    failed = "ConditionalCheckFailedException"
    execute = ddb.execute_statement
    refused(execute, failed, Statement=f"DELETE FROM Music WHERE {key} AND Plays = 2")
    refused(execute, failed, Statement="UPDATE Music SET x = 1 WHERE Artist = 'z' AND \"Year\" = 1")
    assert refused(execute, Statement="DELETE FROM Music WHERE Artist = 'a'") == (
        "Where clause does not contain a mandatory equality on all key attributes"
    )
    assert run(f"DELETE FROM Music WHERE {key} RETURNING ALL OLD *")[0]["Plays"] == {"N": "1"}
    assert run(f"DELETE FROM Music WHERE {key}") == []


def test_unsound_statements_are_refused(
    ddb: Any, run: Callable[..., Any], refused: Refused
) -> None:
    execute = ddb.execute_statement
    message = refused(execute, Statement="SELEC * FROM Music")
    assert message.startswith("Statement wasn't well formed, can't be processed:")
    assert refused(execute, Statement="SELECT * FROM Music WHERE Artist = ?") == (
        "Number of parameters in request and statement don't match."
    )
    insert = "INSERT INTO Music VALUE {'Artist': 'a', 'Year': 1990}"
    assert refused(execute, "DuplicateItemException", Statement=insert) == (
        "Duplicate primary key exists in table"
    )
    refused(execute, "ResourceNotFoundException", Statement="SELECT * FROM Nothing")
    refused(execute, Statement="SELECT * FROM Music WHERE " + "(" * 500)


def test_a_batch_answers_each_statement(ddb: Any, run: Callable[..., Any]) -> None:
    answers = ddb.batch_execute_statement(
        Statements=[
            {"Statement": "SELECT Genre FROM Music WHERE Artist = 'a' AND \"Year\" = 1990"},
            {"Statement": "INSERT INTO Music VALUE {'Artist': 'a', 'Year': 1990}"},
            {"Statement": "INSERT INTO Music VALUE {'Artist': 'c', 'Year': 1}"},
        ]
    )["Responses"]
    assert answers == [
        {"TableName": "Music", "Item": {"Genre": {"S": "pop"}}},
        {
            "TableName": "Music",
            "Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"},
        },
        {"TableName": "Music"},
    ]


def test_a_transaction_of_statements_is_all_or_nothing(ddb: Any, run: Callable[..., Any]) -> None:
    insert = {"Statement": "INSERT INTO Music VALUE {'Artist': 'd', 'Year': 1}"}
    there = "EXISTS(SELECT * FROM Music WHERE Artist = 'a' AND \"Year\" = {} AND Genre = 'pop')"
    with pytest.raises(ClientError) as caught:
        ddb.execute_transaction(
            TransactStatements=[insert, {"Statement": there.replace("{}", "2000")}]
        )
    reasons = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    select = {"Statement": "SELECT * FROM Music WHERE Artist = 'd' AND \"Year\" = 1"}
    assert ddb.execute_transaction(TransactStatements=[select])["Responses"] == [{}]
    ddb.execute_transaction(TransactStatements=[insert, {"Statement": there.replace("{}", "1990")}])
    found = ddb.execute_transaction(TransactStatements=[select])["Responses"]
    assert found == [{"Item": {"Artist": {"S": "d"}, "Year": {"N": "1"}}}]


def test_a_transaction_of_statements_is_done_once_for_a_token(
    run: Callable[..., Any], ddb: Any, refused: Refused
) -> None:
    insert = "INSERT INTO Music VALUE {'Artist': 'once', 'Year': 1}"
    given = {"TransactStatements": [{"Statement": insert}], "ClientRequestToken": "token"}
    for _ in range(2):
        assert ddb.execute_transaction(**given)["Responses"] == [{}]
    other = [{"Statement": insert.replace("once", "twice")}]
    refused(
        ddb.execute_transaction,
        "IdempotentParameterMismatchException",
        **{**given, "TransactStatements": other},
    )


def test_a_failed_condition_gives_the_item_when_asked(run: Callable[..., Any], ddb: Any) -> None:
    where = "WHERE Artist = 'a' AND \"Year\" = 1990 AND Genre = 'jazz'"
    asked = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    delete = f"DELETE FROM Music {where}"
    with pytest.raises(ClientError) as caught:
        ddb.execute_statement(Statement=delete, **asked)
    assert caught.value.response["Item"]["Genre"] == {"S": "pop"}
    insert = "INSERT INTO Music VALUE {'Artist': 'a', 'Year': 1990}"
    answer = ddb.batch_execute_statement(Statements=[{"Statement": insert, **asked}])
    error = answer["Responses"][0]["Error"]
    assert error["Code"] == "DuplicateItem"
    assert error["Item"]["Genre"] == {"S": "pop"}
    with pytest.raises(ClientError) as caught:
        ddb.execute_transaction(TransactStatements=[{"Statement": delete, **asked}])
    [reason] = caught.value.response["CancellationReasons"]
    assert reason["Item"]["Genre"] == {"S": "pop"}


def test_what_no_statement_may_say_is_refused(
    run: Callable[..., Any], ddb: Any, refused: Refused
) -> None:
    message = refused(ddb.execute_statement, Statement="DESCRIBE Music")
    assert message == (
        "Statement wasn't well formed, can't be processed: Expected data manipulation"
    )
    delete = "DELETE FROM Music WHERE Artist = 'a' AND \"Year\" = 1990 RETURNING {} *"
    for returning in ("ALL NEW", "MODIFIED OLD", "MODIFIED NEW"):
        refused(ddb.execute_statement, Statement=delete.format(returning))
    given = [{"Statement": delete.format("ALL OLD")}]
    refused(ddb.execute_transaction, TransactStatements=given)
    assert len(run("SELECT * FROM Music WHERE Artist = 'a' AND \"Year\" = 1990")) == 1
