"""S4D-ViTMoE fine-tuned for one fold, or for all clips."""

from typing import TYPE_CHECKING

from blemore.finetune.faces import build, media
from blemore.finetune.job import fine_tune
from blemore.fusion.thresholds import best_grid_score
from blemore.job import run

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    fine_tune(snakemake, build, media, best_grid_score)


if __name__ == "__main__":
    run(main, snakemake)
