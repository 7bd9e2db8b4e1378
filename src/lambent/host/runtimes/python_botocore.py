"""What botocore works out anew for every session and client although it never changes.

Loaded by file into the Python zygote (see `python_preload`), which remembers it once for all
environments: that is most of the time of a session's first client, and most of the memory
that an environment with a client has for itself. Nothing that depends on an environment's
variables, credentials or configuration is remembered. A function that brings its own botocore
gets that one, untouched by anything here.
"""

from __future__ import annotations

import functools
import inspect
import os
import types
from collections.abc import Callable
from typing import Any

_VARKEYWORDS = inspect.CO_VARKEYWORDS


def remember() -> None:
    """From now on: the parsed service models, which services there are, rules for endpoints,
    methods of clients, which handlers take keyword arguments, and events' other names. What
    HTTP sessions need, they make when they are used."""
    import boto3
    import botocore.client
    import botocore.endpoint_provider
    import botocore.hooks
    import botocore.httpsession
    import botocore.loaders

    files = botocore.loaders.JSONFileLoader
    files.load_file = staticmethod(functools.lru_cache(maxsize=None)(files().load_file))
    _remember_services(botocore.loaders.Loader, os.path.join(boto3.__path__[0], "data"))
    botocore.hooks.accepts_kwargs = _accepting_kwargs(botocore.hooks.accepts_kwargs)
    _remember_aliases(botocore.hooks)
    _remember_rules(botocore.endpoint_provider.RuleCreator)
    _remember_models(botocore.client.ClientCreator)
    _remember_methods(botocore.client.ClientCreator)
    _begin_later(botocore.httpsession.URLLib3Session)


def make_ahead() -> None:
    """Have one session ready for whoever asks for a default one first."""
    import botocore
    import botocore.handlers
    import botocore.session
    from botocore.useragent import UserAgentString

    module: Any = botocore.session
    session_class, original = module.Session, module.get_session
    initialise = session_class.__init__
    handlers = len(botocore.handlers.BUILTIN_HANDLERS)
    ready = [session_class()]

    def get_session(env_vars: Any = None) -> Any:
        changed = (
            module.Session is not session_class
            or session_class.__init__ is not initialise
            or len(botocore.handlers.BUILTIN_HANDLERS) != handlers
        )
        if env_vars is not None or changed or not ready:
            return original(env_vars)
        session = ready.pop()
        # All else that depends on the environment, a session looks up when it is asked.
        agent = UserAgentString.from_environment()
        session._components.register_component("user_agent_creator", agent)
        botocore.invoke_initializers(session)
        return session

    module.get_session = get_session


def _remember_services(loader: Any, boto3_data: str) -> None:
    """Listing the services reads 900 folders; those of boto3 itself do not change."""
    original = loader.list_available_services
    known: dict[tuple[str, ...], list[str]] = {}
    unchanging = {loader.BUILTIN_DATA_PATH, boto3_data}

    def list_available_services(self: Any, type_name: str) -> Any:
        folders = [path for path in self.search_paths if os.path.isdir(path)]
        if not unchanging.issuperset(folders):
            return original(self, type_name)
        key = (type_name, *folders)
        if key not in known:
            known[key] = original(self, type_name)
        return list(known[key])

    loader.list_available_services = list_available_services


def _accepting_kwargs(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same answer from the code object's flags, without building a signature."""

    def accepts_kwargs(function: Any) -> Any:
        plain = getattr(function, "__func__", function)
        if type(plain) is types.FunctionType and not plain.__dict__:
            return plain.__code__.co_flags & _VARKEYWORDS
        return original(function)

    return accepts_kwargs


def _remember_aliases(hooks: Any) -> None:
    """Each session aliases the same names by the same table."""
    original = hooks.EventAliaser._alias_event_name
    known: dict[str, str] = {}

    def alias_event_name(self: Any, name: str) -> Any:
        if self._event_aliases != hooks.EVENT_ALIASES:
            return original(self, name)
        alias = known.get(name)
        if alias is None:
            alias = original(self, name)
            if len(known) < 10_000:
                known[name] = alias
        return alias

    hooks.EventAliaser._alias_event_name = alias_event_name


def _remember_rules(creator: Any) -> None:
    """A tree of rules is never changed, and S3's has hundreds; what they resolve to is each
    client's own."""
    original = creator.create
    known: dict[int, tuple[Any, list[Any]]] = {}

    def create(cls: Any, **rule: Any) -> Any:
        below = rule.get("rules")
        if cls is not creator or below is None:
            return original.__func__(cls, **rule)
        # By identity, since the files that they come from are read once; what a rule was made
        # of is kept, so that nothing else can take its place.
        found = known.get(id(below))
        if found is None:
            found = known[id(below)] = (original(**rule), below)
        return found[0]

    creator.create = classmethod(create)  # type: ignore[arg-type]


def _remember_models(creator: Any) -> None:
    """A service's model, by the description that it is made of, which is read once. What it
    works out of itself when it is asked (operations, shapes), it keeps."""
    original = creator._load_service_model
    known: dict[tuple[str, int], Any] = {}

    def load_service_model(self: Any, service_name: str, api_version: Any = None) -> Any:
        model = original(self, service_name, api_version)
        return known.setdefault((service_name, id(model._service_description)), model)

    creator._load_service_model = load_service_model


def _remember_methods(creator: Any) -> None:
    """The methods of a service's clients, all of them one function by another name, and what
    they are called."""
    original, original_names = creator._create_methods, creator._create_name_mapping
    known: dict[tuple[Any, Any], dict[str, Any]] = {}
    names: dict[Any, dict[str, str]] = {}

    def create_methods(self: Any, service_model: Any) -> dict[str, Any]:
        # What makes one of them may be another's (asynchronous clients).
        key = (type(self)._create_api_method, service_model)
        if key not in known:
            known[key] = original(self, service_model)
        return dict(known[key])

    def create_name_mapping(self: Any, service_model: Any) -> dict[str, str]:
        if service_model not in names:
            names[service_model] = original_names(self, service_model)
        return dict(names[service_model])

    creator._create_methods = create_methods
    creator._create_name_mapping = create_name_mapping


def _begin_later(session_class: Any) -> None:
    """Of the three HTTP sessions that a client comes with, two are never used (they would ask
    the machine for credentials); each makes a TLS context, which takes a millisecond."""
    original = session_class.__init__

    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        self.__dict__["_begun_with"] = (args, kwargs)

    def find(self: Any, name: str) -> Any:
        begun_with = self.__dict__.pop("_begun_with", None)
        if begun_with is None:
            kind = type(self).__name__
            raise AttributeError(f"{kind!r} object has no attribute {name!r}")
        args, kwargs = begun_with
        original(self, *args, **kwargs)
        return getattr(self, name)

    session_class.__init__ = initialise
    session_class.__getattr__ = find
