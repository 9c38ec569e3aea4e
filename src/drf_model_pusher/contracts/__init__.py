"""What every provider and every delivery must do, as tests that run against one of your own.

Subclass a contract in a test module, say how to make the thing and how to look behind it, and let
pytest, or a ``TestCase`` beside it, run what it inherits. Nothing here needs pytest.
"""

from drf_model_pusher.contracts.delivery import ContractProvider, DeliveryContract
from drf_model_pusher.contracts.provider import Arrival, ProviderContract

__all__ = ["Arrival", "ContractProvider", "DeliveryContract", "ProviderContract"]
