"""The Bolt app: listeners for what Slack delivers, each of which acknowledges in time."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack import views
from adapters.slack.api import SlackApi
from adapters.slack.events import Body
from adapters.slack.intake import Intake, Spawn
from adapters.slack.interactions import Interactions
from bot.commands.registry import COMMANDS
from bot.config import Settings

log = logging.getLogger(__name__)

_ANYTHING = re.compile(".*")
#: The actions of our buttons and menus.
_OURS = re.compile(f"^{views.PREFIX}")
#: Events about channels: shared with another organisation or no longer, invited to, archived, renamed.
_CHANNELS = re.compile("^(channel|group|shared_channel)_")


def sdk_logger(name: str) -> logging.Logger:
    """A logger for the SDK, at ERROR: its debug records are built before they are filtered, and quote texts.

    Its warnings are about the environment (a token that we pass ourselves) and about what we handle.
    """
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    return logger


def listening_app(
    settings: Settings,
    api: SlackApi,
    me: Mapping[str, str],
    intake: Intake,
    interactions: Interactions,
    spawn: Spawn,
    refused: Callable[[], None],
) -> AsyncApp:
    """The Bolt app. `me` is what `auth.test` returns; `refused` is called for events that couldn't be admitted."""
    authorized = AuthorizeResult(
        enterprise_id=None, team_id=me["team_id"], bot_user_id=me["user_id"], bot_id=me["bot_id"]
    )

    async def authorize() -> AuthorizeResult:
        return authorized

    secret = settings.slack_signing_secret
    app = AsyncApp(
        logger=sdk_logger("slack_bolt.bot"),
        authorize=authorize,
        client=AsyncWebClient(base_url=api.reads.base_url, session=api.http, logger=sdk_logger("slack_sdk.bot")),
        signing_secret=secret.get_secret_value() if secret else None,
        # Acknowledge after the listener has returned: only then is the event recorded.
        process_before_response=True,
        request_verification_enabled=settings.slack_app_token is None,
        ignoring_self_events_enabled=False,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )

    def kept(handle: Callable[[Body], Awaitable[None]]) -> Callable[[Body], Awaitable[BoltResponse | None]]:
        """A listener that acknowledges once `handle` has returned; if it raises, Slack sends the event again."""

        async def listener(body: Body) -> BoltResponse | None:
            try:
                await handle(body)
            except Exception as exc:  # noqa: BLE001 - the event boundary: not acknowledged, so it comes again
                log.error("slack: event could not be admitted, Slack will redeliver it: %s", type(exc).__name__)
                refused()
                return BoltResponse(status=503)
            return None

        return listener

    async def on_home(body: Body) -> None:
        spawn(interactions.home(body))

    async def on_command(body: Body, ack: AsyncAck) -> None:
        await ack()
        spawn(interactions.command(body))

    async def on_press(body: Body, ack: AsyncAck) -> None:
        await ack()
        spawn(interactions.press(body))

    async def on_submit(body: Body, ack: AsyncAck) -> None:
        await ack()
        spawn(interactions.submit(body))

    async def ignore(ack: AsyncAck) -> None:
        await ack()

    for name in ("message", "app_mention"):
        app.event(name)(kept(intake.receive))
    for name in ("app_uninstalled", "tokens_revoked"):
        app.event(name)(kept(intake.removed))
    app.event("app_home_opened")(on_home)
    app.event(_CHANNELS)(kept(intake.channel_changed))
    for command in COMMANDS:
        app.command(f"/{command.name}")(on_command)
    app.action(_OURS)(on_press)
    app.view(views.FORM)(on_submit)
    # Without a listener, an event is never acknowledged, and comes again.
    for unhandled in (app.event, app.action, app.command, app.shortcut, app.view, app.options):
        unhandled(_ANYTHING)(ignore)
    return app
