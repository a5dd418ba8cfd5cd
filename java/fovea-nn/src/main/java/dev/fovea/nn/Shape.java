package dev.fovea.nn;

import java.util.Arrays;

/** Sizes that are equal where their numbers are. */
record Shape(long[] sizes) {
  static Shape of(long... sizes) {
    return new Shape(sizes.clone());
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape that && Arrays.equals(sizes, that.sizes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(sizes);
  }

  @Override
  public String toString() {
    return Arrays.toString(sizes);
  }
}
