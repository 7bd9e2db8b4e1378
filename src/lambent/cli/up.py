"""`lambent up`: start a node, deploy on it, and drain on Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
from pathlib import Path

import click

from lambent import __version__
from lambent.app import Node, run
from lambent.cli import debug
from lambent.cli.config import config_option
from lambent.core import telemetry
from lambent.core.settings import (
    DEFAULT_ACCOUNT,
    DEFAULT_PORT,
    DEFAULT_REGION,
    MEMORY,
    NETWORK,
    SANDBOX,
    Settings,
    is_loopback,
)

_FILES = 65_536
"""Files that a node may have open, where the machine lets it."""


def default_data_dir() -> Path:
    """The per-user data folder, by the platform's custom."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "lambent"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "lambent"


@click.command()
@click.argument("template", required=False, type=click.Path(exists=True, dir_okay=False))
@config_option
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="0 takes a free one.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Any address that is not loopback turns --auth on.",
)
@click.option(
    "--data-dir",
    metavar="DIR",
    help=f"Where everything is kept; {MEMORY} keeps nothing.  [default: a per-user folder]",
)
@click.option(
    "--store",
    envvar="LAMBENT_STORE",
    metavar="URL",
    help="postgresql://… that several nodes share; better set by the variable LAMBENT_STORE, as "
    "it holds a password.  [default: the data folder]",
)
@click.option(
    "--blobs",
    envvar="LAMBENT_BLOBS",
    metavar="PLACE",
    help="With --store: where large bytes lie, a folder that all nodes see or s3://BUCKET.  "
    "[default: in the data folder, for one node]",
)
@click.option(
    "--lease",
    envvar="LAMBENT_LEASE",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="With --store: when a node that is not heard of is lost to the others.",
)
@click.option("--auth", is_flag=True, help="Check every request's signature.")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="12 digits.")
@click.option("--region", default=DEFAULT_REGION, show_default=True)
@click.option(
    "--sandbox",
    type=click.Choice(SANDBOX),
    default="auto",
    show_default=True,
    help="Isolate functions: where the machine allows it, or not start, or never.",
)
@click.option(
    "--network",
    type=click.Choice(NETWORK),
    default="host",
    show_default=True,
    help="Of functions that say nothing else: the machine's, or only the node.",
)
@click.option(
    "--scrape-token",
    envvar="LAMBENT_SCRAPE_TOKEN",
    metavar="TOKEN",
    help="Lets Prometheus read /_lambent/metrics as its bearer; better set by the variable "
    "LAMBENT_SCRAPE_TOKEN, as others see a command's arguments.",
)
@click.option(
    "--hold-queue-names",
    is_flag=True,
    help="Let no queue be made again within 60 s of its deletion, as AWS does.",
)
@click.option("--stack-name", metavar="NAME", help="For TEMPLATE.  [default: its folder's name]")
@click.option(
    "--parameter", "parameters", multiple=True, metavar="K=V", help="For TEMPLATE; repeatable."
)
@click.option("--watch", is_flag=True, help="Then make what is saved live; see lambent watch.")
@click.option(
    "--debug",
    "debugged",
    multiple=True,
    metavar="FUNCTION",
    help="Then let a debugger into it; see lambent debug.  Repeatable.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the banner, and what was deployed, as a line of JSON each.",
)
@click.option("--verbose", "-v", is_flag=True, help="Log every request.")
def command(
    template: str | None,
    port: int,
    host: str,
    data_dir: str | None,
    store: str | None,
    blobs: str | None,
    lease: float,
    auth: bool,
    account: str,
    region: str,
    sandbox: str,
    network: str,
    scrape_token: str | None,
    hold_queue_names: bool,
    stack_name: str | None,
    parameters: tuple[str, ...],
    watch: bool,
    debugged: tuple[str, ...],
    as_json: bool,
    verbose: bool,
) -> None:
    """Start a node; with a TEMPLATE, deploy it and show its outputs.

    Ctrl-C drains and stops: what runs is finished, and everything is kept.

    \b
    Examples:
      lambent up
      lambent up template.yaml --parameter ThumbnailSize=512
      lambent up template.yaml --watch --debug Resize
      lambent up --data-dir :memory: --port 0
    """
    telemetry.set_up("DEBUG" if verbose else "WARNING")
    folder = Path(data_dir).expanduser() if data_dir else default_data_dir()
    settings = Settings(
        data_dir=None if data_dir == MEMORY else folder.absolute(),
        host=host,
        port=port,
        auth=auth or not is_loopback(host),
        account=account,
        region=region,
        sandbox=sandbox,
        network=network,
        store=store,
        blobs=blobs,
        lease=lease,
        scrape_token=scrape_token or None,
        hold_queue_names=hold_queue_names,
    )
    commands: list[list[str]] = []
    last: list[list[str]] = []
    lambent = [sys.executable, "-m", "lambent"]
    if template is not None:
        of_template = [template, *(["--stack-name", stack_name] if stack_name else [])]
        for parameter in parameters:
            of_template += ["--parameter", parameter]
        commands.append([*lambent, "deploy", *of_template, *(["--json"] if as_json else [])])
        if watch:
            last.append([*lambent, "watch", *of_template])
    elif watch:
        raise click.UsageError("--watch needs a TEMPLATE.")
    for number, function in enumerate(debugged):
        at = ["--port", str(debug.PORT + number), *(["--json"] if as_json else [])]
        commands.append([*lambent, "debug", function, *at])
    _allow_many_files()
    sys.exit(run(_serve(settings, [*commands, *last], as_json)))


def _allow_many_files() -> None:
    """Each connection and each environment takes some; most machines allow 1,024 until asked."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    if now < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def _serve(settings: Settings, commands: list[list[str]], as_json: bool) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, stopping)
    node = Node(settings)
    await node.start()
    _announce(node, as_json)
    status = 0
    try:
        for command in commands:
            status = await _run(node, command, stopping)
            if status != 0 and not stopping.is_set():
                click.echo("The node stays up: mend that, and `lambent deploy` it.", err=True)
            if status != 0 or stopping.is_set():
                break
        await stopping.wait()
    finally:
        if not as_json:
            click.secho("Draining … (Ctrl-C again ends at once)", err=True, dim=True)
        await node.stop()
    return status


def _stop(stopping: asyncio.Event) -> None:
    if stopping.is_set():
        os._exit(130)
    stopping.set()


async def _run(node: Node, command: list[str], stopping: asyncio.Event) -> int:
    """Deploy, or watch, through the node's own API, in a process of its own: the SDK and the
    template translator are heavy, and the node stays lean."""
    environment = {**os.environ, "LAMBENT_ENDPOINT": node.endpoint}
    if node.administrator is not None:
        environment["AWS_ACCESS_KEY_ID"] = node.administrator.id
        environment["AWS_SECRET_ACCESS_KEY"] = node.administrator.secret
    elif not node.settings.auth:
        environment["AWS_ACCESS_KEY_ID"] = node.settings.account
        environment["AWS_SECRET_ACCESS_KEY"] = "local"  # noqa: S105 - no secret: unchecked
        environment["AWS_REGION"] = node.settings.region
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, start_new_session=True
    )
    ended = asyncio.ensure_future(process.wait())
    stopped = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not ended.done():
        process.terminate()
        await ended
        return 0
    return ended.result()


def _announce(node: Node, as_json: bool) -> None:
    settings, made = node.settings, node.administrator
    where = MEMORY if settings.data_dir is None else str(settings.data_dir)
    if as_json:
        banner = {
            "endpoint": node.endpoint,
            "version": __version__,
            "data_dir": where,
            "auth": settings.auth,
        }
        if settings.store is not None:
            banner["store"] = node.store
        if made is not None:
            banner |= {"access_key_id": made.id, "secret_access_key": made.secret}
        click.echo(json.dumps(banner))
        sys.stdout.flush()
        return
    click.secho(f"Lambent {__version__} is up at {click.style(node.endpoint, bold=True)}")
    kept = "nothing is kept (in memory)" if settings.data_dir is None else where
    click.echo(f"  data      {kept}")
    if settings.store is not None:
        click.echo(f"  store     {node.store}, shared by all nodes on it: see `lambent nodes`")
    if settings.auth:
        click.echo("  requests  must be signed")
    if made is not None:
        click.echo("\nThe administrator's key, shown this once:\n")
        click.echo(f"  export AWS_ACCESS_KEY_ID={made.id}")
        click.echo(f"  export AWS_SECRET_ACCESS_KEY={made.secret}\n")
    click.echo(f'  shell     eval "$(lambent env{_env_options(node)})"')
    click.echo("  stop      Ctrl-C\n")
    sys.stdout.flush()


def _env_options(node: Node) -> str:
    """What `lambent env` must be told of this node."""
    settings, options = node.settings, ""
    if node.port != DEFAULT_PORT or not is_loopback(settings.host):
        options += f" --endpoint {node.endpoint}"
    if settings.auth:
        options += " --keep-key"
    elif settings.account != DEFAULT_ACCOUNT:
        options += f" --account {settings.account}"
    if settings.region != DEFAULT_REGION:
        options += f" --region {settings.region}"
    return options
