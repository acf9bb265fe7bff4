#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that the trainer can overfit one real clip on a CPU in about a minute."""
import os
import unittest

import common

common.need("numpy", "torch", "PIL", "scipy", "yaml")
import torch

from rvos_train import config, losses, model, trainer

torch.set_num_threads(1)  # teams of threads crawl on a busy machine
SAMPLE = os.path.join(common.SHARED, "data-sample")


class Learning(unittest.TestCase):
    def test_overfit(self):
        """Soft IoU above 0.9 on one real clip, both tasks, with inference's own loop."""
        if not os.path.isdir(SAMPLE):
            self.skipTest(f"no {SAMPLE}")
        folder = common.scratch("clip", "bear")
        os.makedirs(folder, exist_ok=True)
        source = os.path.join(SAMPLE, "video", "bear")
        for name in sorted(os.listdir(source))[:6]:
            os.symlink(os.path.join(source, name), os.path.join(folder, name))
        c = config.merge(dict(
            video=["folder:" + os.path.dirname(folder)], augment="none", max_stride=1,
            size="224x128", base_width=16, hidden=32, objects=2, batch=1, length=2,
            steps=150,
            late_length=0, lr=1e-2, lr_encoder=1e-2, warmup=10, ema=0.97,
            weight_decay=0.0))
        t = trainer.Trainer(c, lambda s: None)
        while t.step < c.steps:
            t.advance()
        images, labels = t.data.store.fetch(torch.arange(3))
        truth = (labels == 1).float()[None, :, None]
        for task in model.TASKS:
            with torch.no_grad():
                steps = model.run(t.best_net(), task,
                                  images.permute(0, 2, 3, 1).numpy(), 2,
                                  size=t.size, seeds={0: (labels[0].numpy(), None)})
                p = torch.stack([s.prob for s in steps])[None]
            iou = losses.soft_iou(p, truth).max().item()
            print(f"overfit, {task}: soft IoU {iou:.3f}")
            self.assertGreater(iou, 0.9)


if __name__ == "__main__":
    common.main()
