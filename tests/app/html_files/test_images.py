import numpy as np

from app.html_files.images import pooled


def test_fine_sheets_are_pooled_and_keep_what_is_strong() -> None:
    volume = np.zeros((2, 40, 60), dtype=np.float32)
    volume[1, 13, 47] = -7.0
    volume[:, -3:, :] = np.nan
    small = pooled(volume, 400)
    assert small.size <= 400 * 1.3
    assert np.nanmin(small) == -7.0
    assert np.isnan(pooled(volume, 4800)[0, -1]).all()
    assert pooled(volume, 10**6).shape == volume.shape
