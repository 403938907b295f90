target_link_libraries(41_image_resizing PRIVATE PNG::PNG)
