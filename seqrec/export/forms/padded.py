"""Backbones that read padding, on whole windows: BSARec, Caser and MSSR."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec.backbones.bsarec import BSARec
from seqrec.backbones.caser import CaserEncoder
from seqrec.backbones.mssr import MSSREncoder
from seqrec.export.forms.window import whole


class WholeBSARec(BSARec):
    """See :class:`~seqrec.backbones.bsarec.BSARec`."""

    def newest_of(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.newest_of`."""
        x, valid = whole(x, valid, self.item_embedding.weight[0], self.max_length)
        place = self._places(valid)
        moved = place[..., None].expand(-1, -1, x.shape[-1])
        return self.states(x.gather(1, moved), valid.gather(1, place), newest=1)[:, 0]


class WholeCaser(CaserEncoder):
    """See :class:`~seqrec.backbones.caser.CaserEncoder`."""

    def encode(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`CaserEncoder.encode`."""
        blank = self.item_embedding.weight[0]
        image, _ = whole(x - blank, valid, torch.zeros_like(blank), self.max_length)
        (vertical,), (horizontal,) = self.vertical([image], blank), self.horizontal([image], blank)
        return self._read(torch.cat([vertical, torch.relu(horizontal)], dim=1))


class WholeMSSR(MSSREncoder):
    """See :class:`~seqrec.backbones.mssr.MSSREncoder`."""

    def newest_of(self, x: Tensor, valid: Tensor) -> Tensor:
        """See :meth:`Backbone.newest_of`."""
        padding = F.pad(self.item_embedding.weight[0], (0, self.attribute_dim))
        both, valid = whole(x, valid, padding, self.max_length)
        return self._states(*self._parts(both), valid, newest=True)
