"""Prompting, RAG or fine-tuning on your own file? Run: python examples/compare.py my.csv"""

import sys

import slmkit

result = slmkit.run("loop/compare", data=sys.argv[1])
print(result.verdict)
for row in result.table("arms"):
    print(f"{row['system']:20} {row['score']:.3f} [{row['low']:.3f}, {row['high']:.3f}]")
print(*result.figures, result.report, sep="\n")
