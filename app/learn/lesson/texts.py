"""Short texts, one of each kind in the example, written for the lesson's lesions."""

from fnprune_core.texts.cutting import Document

_TEXTS = {
    "french": (
        "Le petit marché s'ouvre chaque samedi matin sur la place du village. Les habitants y "
        "achètent du pain, des légumes et des fleurs, puis ils s'arrêtent un moment pour parler "
        "avec leurs voisins. Hier, une vieille dame nous a raconté comment sa mère vendait ses "
        "fromages au même endroit, avant la guerre. Elle se souvenait encore du prix des œufs et "
        "du nom de tous les marchands."
    ),
    "c++": (
        "#include <algorithm>\n#include <vector>\n\nnamespace sensors {\n\n"
        "class Average {\n public:\n  explicit Average(std::size_t size) : size_(size) {}\n\n"
        "  void push(double value) {\n    if (values_.size() == size_) {\n"
        "      values_.erase(values_.begin());\n    }\n    values_.push_back(value);\n  }\n\n"
        "  double maximum() const {\n"
        "    return *std::max_element(values_.begin(), values_.end());\n  }\n\n"
        " private:\n  std::size_t size_;\n  std::vector<double> values_;\n};\n\n}  // namespace\n"
    ),
    "documentation": (
        "The method returns the number of items that were removed from the queue. If the queue "
        "is empty and the argument block is true, the call waits until an item is available or "
        "the timeout, given in seconds, has passed. In that case an exception is raised. The "
        "order of items is kept, and it is safe to call this method from several threads at the "
        "same time. Note that the size of the queue may change between two calls."
    ),
    "legal": (
        "The tenant shall not assign this agreement or sublet the premises without the prior "
        "written consent of the landlord, which shall not be unreasonably withheld. Any notice "
        "under this agreement must be in writing and delivered to the address stated above. The "
        "landlord makes no warranty, express or implied, as to the condition of the premises, "
        "and shall not be liable for any indirect, incidental or consequential damages arising "
        "out of their use."
    ),
    "python": (
        "from pathlib import Path\n\n\ndef read_lines(path: Path, *, encoding: str = 'utf-8') -> "
        'list[str]:\n    """Return the lines of a file that are not empty."""\n'
        "    if not path.exists():\n        raise FileNotFoundError(path)\n    found = []\n"
        "    with path.open(encoding=encoding) as file:\n        for line in file:\n"
        "            line = line.strip()\n            if line:\n"
        "                found.append(line)\n    return found\n\n\n"
        "def count(path: Path) -> int:\n    return len(read_lines(path))\n"
    ),
}


def documents() -> list[Document]:
    """Return the texts as documents, one a domain."""
    return [
        Document(text=text, name=f"lesson, {kind}", domain=kind) for kind, text in _TEXTS.items()
    ]
