"""The leaf lens: which tensors are leaves, why a gradient is missing, and where the memory goes.

Each module gives what `leafgrad` offers under a name of its own: `lens.explain` gives `leafgrad.explain`, and so on.
They are imported when first asked for, one by one, by `leafgrad.__getattr__`: a program that does not look pays
nothing. The functions are not re-exported here, where their modules have their names.
See docs/design/lens.md.
"""
