from . import cams as cams
from . import fusion as fusion
from . import grid as grid
from . import losses as losses
from .attention import LayerRecord as LayerRecord
from .attention import attention_maps as attention_maps
from .attention import record_attention as record_attention
from .decoder import MaskTransformer as MaskTransformer
