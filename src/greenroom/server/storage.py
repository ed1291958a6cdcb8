"""Opening what is kept on disk, and what happens when it cannot be used.

By default the server does not start without its data folder and its histories: whoever finds conversations
missing later cannot be helped any more. With `history.on_unusable: memory` it starts all the same, as a show must
that begins at eight. Then nothing in the folder is touched, conversations live until the server stops, and
everybody who could rely on more is told: the log, `/health/ready`, the metrics, and each page once.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from greenroom.config.errors import ConfigError
from greenroom.config.settings import Settings
from greenroom.history import HistoryError, HistoryStore

log = structlog.stdlib.get_logger("greenroom.server")

REMEDY = (
    "Set history.on_unusable to memory to start without them: conversations then last until the server stops."
)


async def open_histories(settings: Settings) -> tuple[HistoryStore, HistoryError | None]:
    """Open the histories; the error says why they are in memory only, None if they are kept.

    Raises:
        ConfigError, HistoryError: they cannot be used, and the setting does not say to go on without.
    """
    page, most = settings.limits.history_page, settings.history.max_per_character
    quota = settings.history.max_mb * 1024 * 1024 or None
    try:
        settings.paths.ensure()
        return await HistoryStore.open(
            settings.paths.histories, page=page, max_bytes=quota, most_histories=most
        ), None
    except (ConfigError, HistoryError) as error:
        if settings.history.on_unusable == "fail":
            if isinstance(error, ConfigError):
                problems = [replace(problem, fix=f"{problem.fix}. {REMEDY}") for problem in error.problems]
                raise ConfigError(problems) from error
            raise HistoryError(f"{error}. {REMEDY}", error.kind) from error
        not_kept = HistoryError(
            " ".join(str(error).split()),
            error.kind if isinstance(error, HistoryError) else "cannot-open",
        )
        log.error("conversations are kept in memory only", reason=not_kept.message)
        return await HistoryStore.open(None, page=page, max_bytes=quota, most_histories=most), not_kept
