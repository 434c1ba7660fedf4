/* A tray icon of the kind Tauri makes, for the self-test of the harness: argv[1] is the id.
   Writes the label of each menu entry chosen to stdout. */
#include <libayatana-appindicator/app-indicator.h>
#include <stdio.h>

static void chosen(GtkMenuItem *item, gpointer unused) {
    (void)unused;
    puts(gtk_menu_item_get_label(item));
    fflush(stdout);
}

static GtkWidget *add(GtkWidget *menu, GtkWidget *item) {
    gtk_menu_shell_append(GTK_MENU_SHELL(menu), item);
    g_signal_connect(item, "activate", G_CALLBACK(chosen), NULL);
    return item;
}

int main(int argc, char **argv) {
    gtk_init(&argc, &argv);
    AppIndicator *indicator = app_indicator_new(
        argv[1], "dialog-information", APP_INDICATOR_CATEGORY_APPLICATION_STATUS);
    GtkWidget *menu = gtk_menu_new(), *sub = gtk_menu_new(), *item;
    add(menu, gtk_menu_item_new_with_mnemonic("_Open"));
    item = add(menu, gtk_menu_item_new_with_label("Greyed"));
    gtk_widget_set_sensitive(item, FALSE);
    item = add(menu, gtk_check_menu_item_new_with_label("Ticked"));
    gtk_check_menu_item_set_active(GTK_CHECK_MENU_ITEM(item), TRUE);
    gtk_menu_shell_append(GTK_MENU_SHELL(menu), gtk_separator_menu_item_new());
    item = gtk_menu_item_new_with_label("More");
    gtk_menu_shell_append(GTK_MENU_SHELL(menu), item);
    gtk_menu_item_set_submenu(GTK_MENU_ITEM(item), sub);
    add(sub, gtk_menu_item_new_with_label("Deep"));
    gtk_widget_show_all(menu);
    app_indicator_set_menu(indicator, GTK_MENU(menu));
    app_indicator_set_title(indicator, "Tray fixture");
    app_indicator_set_status(indicator, APP_INDICATOR_STATUS_ACTIVE);
    if (argc > 2) {
        GtkWidget *window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
        gtk_window_set_title(GTK_WINDOW(window), argv[2]);
        gtk_window_set_default_size(GTK_WINDOW(window), 500, 300);
        gtk_container_add(GTK_CONTAINER(window), gtk_entry_new());
        gtk_widget_show_all(window);
    }
    gtk_main();
    return 0;
}
