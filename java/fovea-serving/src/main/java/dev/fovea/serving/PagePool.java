package dev.fovea.serving;

/**
 * Which pages are free, and how many sequences hold each of the others. For one thread at a time.
 */
final class PagePool {
  private final int[] holders; // by page; 0: free
  private final int[] free; // a stack
  private int count; // of free ones

  PagePool(int pages) {
    holders = new int[pages];
    free = new int[pages];
    for (int i = 0; i < pages; i++) {
      free[i] = pages - 1 - i;
    }
    count = pages;
  }

  int free() {
    return count;
  }

  void require(int pages) {
    if (pages > count) {
      throw new OutOfPagesException(pages, count);
    }
  }

  /** A page for one holder; there is one. */
  int take() {
    int page = free[--count];
    holders[page] = 1;
    return page;
  }

  void share(int page) {
    holders[page]++;
  }

  boolean isShared(int page) {
    return holders[page] > 1;
  }

  void release(int page) {
    if (--holders[page] == 0) {
      free[count++] = page;
    }
  }
}
