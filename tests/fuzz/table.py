"""Every target by its name."""

from collections.abc import Mapping

from tests.fuzz import bundles, messages, partials, pieces, topics
from tests.fuzz.target import Target

TARGETS: Mapping[str, Target] = {
    one.name: one for one in (messages.TARGET, topics.TARGET, pieces.TARGET, bundles.TARGET, partials.TARGET)
}
