"""A small network learns to read handwritten digits: 1797 real ones, 8 x 8 pixels, which come with scikit-learn.

    python examples/train_digits.py

Ends with exit status 1 unless more than 97 % of the digits it has not seen are read rightly.
"""

import sys
import time

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import leafgrad as torch
from leafgrad import nn, optim

EPOCHS, BATCH, DEMAND = 20, 64, 0.97


def load():
    """Pixels scaled to [0, 1] and the digit each image shows; a fifth of each digit is held out."""
    digits = load_digits()
    pixels = (digits.data / 16).astype("float32")
    parts = train_test_split(pixels, digits.target, test_size=0.2, random_state=0, stratify=digits.target)
    return [torch.from_numpy(part) for part in parts]


def with_shifted(images, labels):
    """The images and four copies, each moved by one pixel: a digit stays the same digit wherever it stands."""
    square = images.view(-1, 8, 8)
    moved = [square.roll(by, dims=(1, 2)) for by in [(0, 1), (0, -1), (1, 0), (-1, 0)]]
    return torch.cat([square, *moved]).flatten(1), labels.repeat(5)


def accuracy(model, images, labels):
    with torch.no_grad():
        return (model(images).argmax(dim=1) == labels).float().mean().item()


def train(model, images, labels, after_epoch):
    loss_of = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(EPOCHS):
        order = torch.randperm(len(images))
        for start in range(0, len(images), BATCH):
            batch = order[start : start + BATCH]
            loss = loss_of(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        after_epoch(loss.item())


def main():
    torch.manual_seed(0)
    train_images, test_images, train_labels, test_labels = load()
    train_images, train_labels = with_shifted(train_images, train_labels)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))

    shown = TextColumn("{task.completed} of {task.total} epochs, loss {task.fields[loss]:.4f}")
    with Progress(TextColumn("training"), BarColumn(), shown, TimeElapsedColumn()) as progress:
        task = progress.add_task("", total=EPOCHS, loss=float("nan"))
        start = time.perf_counter()
        train(model, train_images, train_labels, lambda loss: progress.update(task, advance=1, loss=loss))
        seconds = time.perf_counter() - start

    right = accuracy(model, test_images, test_labels)
    print(
        f"{right:.2%} of {len(test_labels)} digits never seen before are read rightly after {seconds:.1f} s of training"
    )
    return 0 if right > DEMAND else 1


if __name__ == "__main__":
    sys.exit(main())
