package dev.fovea.pictures;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class LossPlotTest {

  @Test
  void everyLossCanBeDrawn() throws IOException {
    double[][] all = {
      {2}, {0}, {1, Double.NaN, Double.POSITIVE_INFINITY, 1e-300}, new double[2000]
    };
    for (double[] losses : all) {
      BufferedImage image = new LossPlot(losses, "Loss").image();
      assertTrue(image.getWidth() > 100 && image.getHeight() > 100);
    }
    assertEquals('P', new LossPlot(all[0], "Loss").png()[1]);
  }

  @Test
  void noLossesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new LossPlot(new double[0], "Loss"));
  }
}
