"""Every situation of the synthetic world, by its kind."""

from finetune.data.embedded.situations.everyday import EVERYDAY
from finetune.data.embedded.situations.favours import FAVOURS
from finetune.data.embedded.situations.model import ROLES, Beat, Situation
from finetune.data.embedded.situations.plans import PLANS
from finetune.data.embedded.situations.troubles import TROUBLES

SITUATIONS = {situation.kind: situation for situation in (*PLANS, *FAVOURS, *TROUBLES, *EVERYDAY)}

__all__ = ["ROLES", "SITUATIONS", "Beat", "Situation"]
