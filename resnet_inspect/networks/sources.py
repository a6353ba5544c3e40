"""Where networks and figures were published: each source once, in full and in short."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """A paper or a release: in full for a listing of networks, in short next to a figure."""

    full: str
    short: str

    def at(self, place: str) -> Source:
        """A place in it: a table, or a section."""
        return Source(f"{self.full}, {place}", f"{self.short}, {place}")


HE2015 = Source("He et al. 2015, arXiv 1512.03385", "He 2015")
HE2016 = Source("He et al. 2016, arXiv 1603.05027", "He 2016")
HE2018 = Source("He et al. 2018, arXiv 1812.01187", "He 2018")
CAFFE = Source("He et al. 2015, KaimingHe/deep-residual-networks", "Caffe release")
TORCHVISION = Source("torchvision", "torchvision")

TABLE_1 = HE2015.at("Table 1")
PLAIN = HE2015.at("section 3.3")
